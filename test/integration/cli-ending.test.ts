/** Commands in processes of their own that are ended from outside: by Ctrl-C, or since nobody reads their output. */
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { probeEndpoints } from '../../src/admin/probes.ts';
import { AdminServer } from '../../src/admin/server.ts';
import { createLogger } from '../../src/observe/logger.ts';
import { CLI, type CommandProcess, startCli, startCommand } from '../support/cli-process.ts';
import { connectAdmin } from '../support/outbox.ts';
import { describeWithService, freshDatabase, uniqueName } from '../support/service.ts';
import { statusReport } from '../support/status-report.ts';
import { until } from '../support/services/until.ts';
import { configFile } from '../support/verify-report.ts';

/** `script` of Linux gives a command a terminal. */
const onLinux = process.platform === 'linux';

const startOnTerminal = (...args: readonly string[]): CommandProcess =>
  startCommand('script', ['-qfec', [...CLI, ...args].map((word) => `'${word}'`).join(' '), '/dev/null']);

const CTRL_C = '\x03';

describe('output that nobody reads', () => {
  const admin = new AdminServer(
    { host: '127.0.0.1', port: 0 },
    probeEndpoints({
      metrics: { expose: () => Promise.resolve({ contentType: 'text/plain', body: '' }) },
      status: () => statusReport({}),
    }),
    createLogger({ level: 'silent' }),
  );

  beforeAll(() => admin.listen());
  afterAll(() => admin.close(1_000));

  it('ends a command that would go on for ever, quietly', async () => {
    const command = [
      ...CLI,
      'status',
      '--watch',
      '--interval',
      '0.1',
      '--json',
      '--url',
      `http://127.0.0.1:${admin.port}`,
    ];
    const pipe = `set -o pipefail; ${command.map((word) => `'${word}'`).join(' ')} | head -n 1 | wc -l`;
    const { code, output } = startCommand('bash', ['-c', pipe]);
    expect([await code, output().trim()]).toEqual([0, '1']);
  });
});

/** A device of Linux that takes nothing: each write fails as on a full disk. */
describe.runIf(onLinux)('a full disk', () => {
  it.each(['config schema', 'completion bash', 'config validate'])(
    'does not make half a report of %s pass for a whole one',
    async (command) => {
      const config = await configFile({
        postgres: { url: 'postgres://relay@db/shop' },
        destinations: { console: { type: 'console' } },
      });
      const words = [...CLI, ...command.split(' ')].map((word) => `'${word}'`).join(' ');
      const { code, output } = startCommand('bash', ['-c', `OUTBOX_RELAY_CONFIG='${config}' ${words} > /dev/full`]);
      expect([await code, output()]).toEqual([
        1,
        expect.stringMatching(/^outbox-relay: cannot write to standard output: ENOSPC.*\n$/),
      ]);
    },
  );
});

describeWithService('postgres', 'Ctrl-C', () => {
  const database = freshDatabase();
  const schema = uniqueName('ending');
  let admin: pg.Client;
  let args: readonly string[] = [];

  beforeAll(async () => {
    admin = await connectAdmin(database.url);
    await admin.query(`CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.outbox (
      position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id uuid NOT NULL, aggregatetype text, aggregateid text,
      type text, payload jsonb, headers jsonb, created_at timestamptz)`);
    args = ['init', '--url', database.url, '--table', `${schema}.outbox`, '--publication', schema, '--yes'];
  });
  afterAll(() => admin.end());

  /** Holds the outbox, so that what alters it waits; resolves once somebody does. */
  async function blocking(started: () => CommandProcess): Promise<CommandProcess> {
    await admin.query(`BEGIN; LOCK TABLE ${schema}.outbox IN SHARE ROW EXCLUSIVE MODE`);
    onTestFinished(async () => {
      await admin.query('ROLLBACK');
    });
    const running = started();
    await until(
      async () => {
        const { rowCount } = await admin.query(
          `SELECT FROM pg_locks WHERE NOT granted AND relation = '${schema}.outbox'::regclass`,
        );
        return (rowCount ?? 0) > 0;
      },
      { what: 'init to wait for the table' },
    );
    return running;
  }

  const companions = async (): Promise<number> => {
    const { rowCount } = await admin.query('SELECT FROM pg_tables WHERE schemaname = $1', [schema]);
    return (rowCount ?? 0) - 1;
  };

  it('ends a command with 130 and a word, and leaves nothing half done', async () => {
    const init = await blocking(() => startCli(...args));
    init.process.kill('SIGINT');
    expect([await init.code, init.output()]).toEqual([130, 'outbox-relay: interrupted\n']);
    await admin.query('ROLLBACK');
    expect(await companions()).toBe(0);
  });

  it.runIf(onLinux)('takes the progress away that a terminal shows', async () => {
    const init = await blocking(() => startOnTerminal(...args));
    await until(() => /\[[#-]{24}\] .*publication .* of \d+ statements/.test(init.output()), { what: 'a bar' });
    init.process.stdin.write(CTRL_C);
    expect(await init.code).toBe(130);
    expect(init.output().endsWith('\r\x1b[Koutbox-relay: interrupted\r\n')).toBe(true);
  });

  it.runIf(onLinux)('answers a question, as does the end of the input with no', async () => {
    const config = await configFile({
      postgres: { url: database.url },
      destinations: { console: { type: 'console' } },
    });
    for (const [typed, expected] of [
      [CTRL_C, 130],
      ['\x04', 1],
      ['n\r', 1],
    ] as const) {
      const retry = startOnTerminal('parked', 'retry', '--all', '--config', config);
      await until(() => retry.output().includes('Publish all parked rows? [y/N]'), { what: 'a question' });
      retry.process.stdin.write(typed);
      expect([typed, await retry.code]).toEqual([typed, expected]);
    }
  });
});
