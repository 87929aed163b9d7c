/** The rules by themselves, by the tool that comes with Prometheus. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parse, stringify } from 'yaml';
import { ALERT_NAMES, ALERTS, RULES, RULES_PATH } from '../support/alert-rules.ts';
import { describeWithLauncher } from '../support/service.ts';
import { promtool } from '../support/services/prometheus-distribution.ts';
import { removeScratchFolder, scratchFolder } from '../support/services/scratch.ts';

const unitTests = (alert: string): string => fileURLToPath(new URL(`../alerts/${alert}.yaml`, import.meta.url));

describeWithLauncher('prometheus', 'the alert rules', () => {
  it('are valid', async () => {
    const { ok, output } = await promtool(['check', 'rules', RULES_PATH]);
    expect(output).toContain('SUCCESS');
    expect(ok).toBe(true);
  });

  describe.each(ALERT_NAMES)('%s', (alert) => {
    it('is told when it has to be, and else not', async () => {
      const { ok, output } = await promtool(['test', 'rules', unitTests(alert)]);
      expect(output).toContain('SUCCESS');
      expect(ok).toBe(true);
    });

    it.each([
      { instead: 'never', expr: 'vector(0) > 0' },
      { instead: 'always', expr: 'vector(1)' },
    ])('is noticed by its test when it is told $instead', async ({ expr }) => {
      for (const index of rulesOf(alert).keys()) {
        const { ok, output } = await testInstead(alert, index, expr);
        expect(output).toContain('FAILED');
        expect(output).toContain(`alertname: ${alert}`);
        expect(ok).toBe(false);
      }
    });
  });
});

const rulesOf = (alert: string): readonly unknown[] => ALERTS.filter((rule) => rule.alert === alert);

/** Runs the tests of an alert with another expression in its rule of that index. */
async function testInstead(alert: string, index: number, expr: string): ReturnType<typeof promtool> {
  const folder = await scratchFolder('rules');
  onTestFinished(() => removeScratchFolder(folder));
  await mkdir(join(folder, 'rules'));
  await writeFile(join(folder, 'rules', 'broken.yaml'), withExpression(alert, index, expr));
  const tests = parse(await readFile(unitTests(alert), 'utf8')) as object;
  const file = join(folder, 'tests.yaml');
  await writeFile(file, stringify({ ...tests, rule_files: ['rules/broken.yaml'] }));
  return promtool(['test', 'rules', file]);
}

function withExpression(alert: string, index: number, expr: string): string {
  const file = parse(RULES) as { groups: { rules: { alert?: string; expr: string }[] }[] };
  const rule = file.groups.flatMap(({ rules }) => rules).filter((each) => each.alert === alert)[index];
  if (rule === undefined) throw new RangeError(`${alert} has no rule ${index}`);
  rule.expr = expr;
  return stringify(file);
}
