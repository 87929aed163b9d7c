/** Two rounds of `npm run chaos` whose faults hit the relay, both services and the table; CI plays more instead. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ChaosReport } from '../chaos/report.ts';
import { describeWithLauncher } from '../support/service.ts';
import { removeScratchFolder, scratchFolder } from '../support/services/scratch.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TIMEOUT_MS = 400_000;
/** Named, so that the rounds stay the same when there are more faults to draw from. */
const FAULTS = 'walsender-flapping,relay-kill,broker-kill,broker-responses-lost,postgres-crash,publication-drop';

let folder = '';
beforeAll(async () => {
  folder = await scratchFolder('chaos-smoke');
});
afterAll(() => removeScratchFolder(folder));

describeWithLauncher('postgres', 'npm run chaos', () => {
  describeWithLauncher('kafka', 'with Kafka', () => {
    it(
      'draws the faults of its seed, and every event arrives',
      async () => {
        const file = join(folder, 'report.json');
        const options = ['--rounds', '2', '--seed', '24', '--faults', FAULTS, '--keep-going', '--json', file];
        // a run that fails says why on standard output
        const failure = await promisify(execFile)('npm', ['run', '-s', 'chaos', '--', ...options], { cwd: ROOT }).then(
          () => '',
          (error: unknown) => (error as { stdout: string }).stdout,
        );
        expect(failure).toBe('');
        const { rounds } = JSON.parse(await readFile(file, 'utf8')) as ChaosReport;
        expect(rounds.map(({ plan }) => plan.faults.map(({ name }) => name))).toEqual([
          ['publication-drop', 'postgres-crash', 'broker-kill'],
          ['broker-responses-lost', 'relay-kill'],
        ]);
        for (const { committed, timeline } of rounds) {
          expect(committed).toBeGreaterThan(200);
          expect(timeline.at(-1)).toContain('accounting');
        }
      },
      TIMEOUT_MS,
    );
  });
});
