/** The completion scripts, asked through real shells. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { outboxRelay } from '../support/cli.ts';
import { completions, isThere, SHELLS } from '../support/shell-completions.ts';

/** Command lines, and what is to be proposed at their end. */
const CASES: readonly (readonly [line: string, proposed: readonly string[]])[] = [
  ['outbox-relay ch', ['check']],
  ['outbox-relay parked re', ['retry']],
  ['outbox-relay completion ', ['bash', 'fish', 'zsh']],
  ['outbox-relay init --payload ', ['bytea', 'json', 'jsonb', 'text']],
  ['outbox-relay init --table config --pay', ['--payload']],
  ['outbox-relay parked list --code route_', ['route_cloudevent', 'route_headers', 'route_none', 'route_template']],
  ['outbox-relay verify --since 2h --strict --mar', ['--margin']],
  ['outbox-relay check --config rel', ['relay.yaml']],
  ['outbox-relay verify --config relay.yaml --destination ', ['events', 'orders']],
];

const LINES = CASES.map(([line]) => line);

/** The last name is one that a shell would carry out. */
const CONFIGURATION = `destinations: { events: { type: kafka }, orders: {}, '$(touch harm)': {} }\n`;

describe('completion', () => {
  const folder = { path: '' };

  beforeAll(async () => {
    folder.path = await mkdtemp(join(tmpdir(), 'outbox-relay-cli-'));
    await writeFile(join(folder.path, 'relay.yaml'), CONFIGURATION);
  });

  afterAll(() => rm(folder.path, { recursive: true }));

  describe.each(SHELLS)('by %s', (shell) => {
    it.runIf(isThere(shell))(
      'proposes commands, options, choices, files and destinations',
      { timeout: 180_000 },
      async () => {
        const { code, stdout } = await outboxRelay('completion', shell);
        expect(code).toBe(0);
        const found = await completions(shell, stdout, LINES, folder.path);
        expect(CASES.map(([line], at) => [line, found[at]])).toEqual(CASES);
      },
    );
  });

  it('refuses other shells', async () => {
    const { code, stdout, stderr } = await outboxRelay('completion', 'tcsh');
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain('bash, zsh, fish');
  });
});
