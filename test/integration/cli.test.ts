import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { probeEndpoints } from '../../src/admin/probes.ts';
import { AdminServer } from '../../src/admin/server.ts';
import type { StatusReport } from '../../src/core/status.ts';
import { createLogger } from '../../src/observe/logger.ts';
import { outboxRelay } from '../support/cli.ts';
import { connectAdmin } from '../support/outbox.ts';
import { describeWithService, freshDatabase, uniqueName } from '../support/service.ts';
import { freePort } from '../support/services/ports.ts';
import { destinationStatus, statusReport } from '../support/status-report.ts';

interface ReportedFinding {
  readonly status: string;
  readonly subject: string;
  readonly remedy?: string;
}

const silent = createLogger({ level: 'silent' });

const REPORT = statusReport({
  destinations: [
    destinationStatus({
      inFlightMessages: 7,
      inFlightBytes: 700,
      undeletedRows: 2,
      parkedRows: 1,
      rowsPerSecond: 12.5,
    }),
  ],
  shards: [],
  lag: null,
});

const folder = { path: '' };

beforeAll(async () => {
  folder.path = await mkdtemp(join(tmpdir(), 'outbox-relay-cli-'));
});

afterAll(() => rm(folder.path, { recursive: true }));

/** Writes a configuration with a console destination, and these options over it. */
async function configFile(options: Readonly<Record<string, unknown>>): Promise<string> {
  const file = join(folder.path, `${uniqueName('config')}.yaml`);
  await writeFile(file, stringify({ destinations: { console: { type: 'console' } }, ...options }));
  return file;
}

describe('the command line', () => {
  it('refuses what it does not know with exit code 2, on standard error', async () => {
    for (const args of [['run', '--bogus'], ['bogus'], ['status', '--interval', 'x'], []]) {
      const { code, stdout, stderr } = await outboxRelay(...args);
      expect([args, code, stdout]).toEqual([args, 2, '']);
      expect(stderr).toMatch(args.length === 0 ? /Usage: outbox-relay/ : /error: .*(bogus|Expected seconds)/);
    }
  });

  it('tells a missing and a broken configuration by code, place and remedy, with exit code 3', async () => {
    const missing = await outboxRelay('check', '--config', '/nowhere/relay.yaml');
    expect(missing.code).toBe(3);
    expect(missing.stderr).toContain('config_invalid: cannot read the configuration file /nowhere/relay.yaml (ENOENT)');
    expect(missing.stderr).toContain('--config FILE');

    const broken = await outboxRelay('config', 'validate', '-c', await configFile({ capture: { mod: 'auto' } }));
    expect(broken.code).toBe(3);
    expect(broken.stderr).toContain("did you mean 'mode'?");
    expect(broken.stderr).toContain('postgres');
  });

  it.each([
    'run',
    'init',
    'check',
    'status',
    'tap',
    'verify',
    'parked list',
    'parked show',
    'parked retry',
    'parked discard',
  ])('explains %s with an example', async (command) => {
    const { code, stdout } = await outboxRelay(...command.split(' '), '--help');
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`Examples?:\\n  outbox-relay ${command} `));
    expect(stdout).toContain('--config <file>');
  });

  it('prints the configuration with its defaults and without its secrets', async () => {
    const config = await configFile({ postgres: { url: 'postgres://relay:hunter2@db.example/shop' } });
    const { code, stdout } = await outboxRelay('config', 'print', '--config', config);
    expect(code).toBe(0);
    expect(stdout).toContain('db.example');
    expect(stdout).toContain('publication: outbox_relay');
    expect(stdout).not.toContain('hunter2');
    const asJson = await outboxRelay('config', 'print', '--json', '--config', config);
    expect(JSON.parse(asJson.stdout)).toMatchObject({ postgres: { password: '[redacted]', user: 'relay' } });
    expect((await outboxRelay('config', 'validate', '--config', config)).stdout).toBe('The configuration is valid.\n');
  });

  it('says where no relay answers', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const { code, stderr } = await outboxRelay('status', '--url', url);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^outbox-relay: no relay answers at http:\/\/127\.0\.0\.1:\d+: .*ECONNREFUSED/);
  });

  describe('status', () => {
    let report: StatusReport = REPORT;
    const admin = new AdminServer(
      { host: '127.0.0.1', port: 0 },
      probeEndpoints({
        metrics: { expose: () => Promise.resolve({ contentType: 'text/plain', body: '' }) },
        status: () => report,
      }),
      silent,
    );

    beforeAll(() => admin.listen());
    afterAll(() => admin.close(1_000));

    it('tells what a relay does, found by the configuration', async () => {
      const config = await configFile({
        postgres: { url: 'postgres://relay@localhost/shop' },
        admin: { host: '0.0.0.0', port: admin.port },
      });
      report = REPORT;
      const { code, stdout } = await outboxRelay('status', '--config', config);
      expect(code).toBe(0);
      expect(stdout).toMatch(/^Publishing {2}outbox-relay 1\.2\.3, here 1\n/);
      expect(stdout).toContain('log, slot outbox_relay_0_1');
      expect(stdout).toMatch(/kafka +streaming +closed +- +12\.5 +7 +2 +1 /);
      expect(stdout).toMatch(/here 1 \(this one\) +leads +10\.0\.0\.1/);
      expect(stdout).toContain('to do: See why under parked rows');
      expect(JSON.parse((await outboxRelay('status', '--config', config, '--json')).stdout)).toEqual(REPORT);
    });

    it.each([
      [0, 'no row waits'],
      [1, '1 row waits, for 3 s'],
      [2, '2 rows wait, the oldest for 3 s'],
    ])('tells a lag of %d rows', async (waitingRows, words) => {
      report = statusReport({
        lag: { ...statusReport().lag!, waitingRows, oldestUnpublishedSeconds: waitingRows === 0 ? 0 : 3 },
      });
      const { stdout } = await outboxRelay('status', '--url', `http://127.0.0.1:${admin.port}`);
      expect(stdout).toContain(`  ${words}, measured`);
    });

    it('says why there is no stream, and what the next slot waits for', async () => {
      const error = {
        at: '2026-01-01T00:00:02.000Z',
        code: 'replication_slot_waits',
        message: 'the slot waits',
        remedy: 'End it.',
      } as const;
      const waitsFor = {
        ...{ xid: '770', pid: null, gid: 'payment-17', applicationName: null, role: 'shop', database: 'shop' },
        ...{ ageSeconds: 7200, ageIsLowerBound: false },
      };
      report = statusReport({ stream: { open: false, slot: null, since: null, error, waitsFor } });
      const { stdout } = await outboxRelay('status', '--url', `http://127.0.0.1:${admin.port}`);
      expect(stdout).toContain('lane      table');
      expect(stdout).toContain('the slot waits (replication_slot_waits)');
      expect(stdout).toContain('to do: End it.');
      expect(stdout).toContain(
        "waits for prepared transaction 'payment-17' (770): role shop, database shop, for 7200 s",
      );
    });

    it('fails for a relay that is stuck, and with --ready for one that cannot publish', async () => {
      const url = ['--url', `http://127.0.0.1:${admin.port}`];
      report = statusReport({ destinations: [destinationStatus({ state: 'down', circuit: 'open' })] });
      expect(await outboxRelay('status', ...url)).toMatchObject({ code: 0 });
      const ready = await outboxRelay('status', '--ready', ...url);
      expect([ready.code, ready.stdout]).toEqual([1, expect.stringContaining('is down, its rows wait in the table')]);
      report = { ...REPORT, heartbeatAgeSeconds: 600 };
      expect(await outboxRelay('status', ...url)).toMatchObject({ code: 1 });
    });
  });

  it('hands its exit code to the shell', async () => {
    const main = new URL('../../src/main.ts', import.meta.url).pathname;
    const code = await new Promise((resolve) => {
      execFile(process.execPath, ['--import', 'tsx', main, 'config', 'print', '--bogus'], (error) => {
        resolve(error?.code);
      });
    });
    expect(code).toBe(2);
  });
});

describeWithService('postgres', 'commands on a database', () => {
  const database = freshDatabase();
  const roles: string[] = [];
  let admin: pg.Client;

  beforeAll(async () => {
    admin = await connectAdmin(database.url);
  });

  afterAll(async () => {
    for (const role of roles) await admin.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    await admin.end();
  });

  async function role(attributes: string): Promise<string> {
    const name = uniqueName('cli_role');
    await admin.query(`CREATE ROLE ${name} LOGIN ${attributes}`);
    roles.push(name);
    return name;
  }

  async function tables(schema: string): Promise<number> {
    const { rowCount } = await admin.query('SELECT FROM pg_tables WHERE schemaname = $1', [schema]);
    return rowCount ?? 0;
  }

  it('init prints what it would do, does it, and then has nothing to do', async () => {
    const schema = uniqueName('cli');
    const [relay, writer] = [await role('REPLICATION'), await role('')];
    const args = ['init', '--url', database.url, '--table', `${schema}.outbox`, '--publication', schema];
    args.push('--relay-role', relay, '--writer-role', writer, '--payload', 'bytea');

    const dry = await outboxRelay(...args, '--dry-run');
    expect(dry.code).toBe(0);
    expect(await tables(schema)).toBe(0);
    // What is printed is all there is to it: run by any client it does what init does.
    await admin.query(dry.stdout);
    expect(await tables(schema)).toBe(5);
    await admin.query(`DROP SCHEMA ${schema} CASCADE; DROP PUBLICATION ${schema}`);

    const done = await outboxRelay(...args);
    expect([done.code, done.stderr]).toEqual([0, '']);
    expect(done.stdout).toContain(`Set up ${schema}.outbox:`);
    expect(await tables(schema)).toBe(5);
    const again = await outboxRelay(...args);
    expect([again.code, again.stdout]).toEqual([0, `Nothing to do: ${schema}.outbox is set up.\n`]);
  });

  it('init changes an existing table only with --yes', async () => {
    const schema = uniqueName('cli');
    await admin.query(`CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.outbox (id uuid NOT NULL,
      aggregatetype text, aggregateid text, type text, payload jsonb, headers jsonb, created_at timestamptz)`);
    const args = ['init', '--url', database.url, '--table', `${schema}.outbox`, '--no-publication'];
    const refused = await outboxRelay(...args);
    expect(refused.code).toBe(3);
    expect(refused.stdout).toContain('ADD COLUMN "position"');
    expect(refused.stderr).toContain('--yes');
    expect(await tables(schema)).toBe(1);
    const done = await outboxRelay(...args, '--yes', '--json');
    expect(done.code).toBe(0);
    expect(JSON.parse(done.stdout)).toMatchObject({ applied: true });
    expect(await tables(schema)).toBe(5);
  });

  it('check finds faults with their remedies, and nothing once these are carried out', async () => {
    const schema = uniqueName('cli');
    const config = await configFile({
      postgres: { url: database.url },
      table: { name: `${schema}.outbox` },
      capture: { publication: schema },
    });
    const missing = await outboxRelay('check', '--config', config);
    expect(missing.code).toBe(3);
    expect(missing.stdout).toContain(`there is no table ${schema}.outbox`);
    expect(missing.stdout).toContain(`outbox-relay init --table ${schema}.outbox`);

    await outboxRelay('init', '--config', config);
    await admin.query(`DROP PUBLICATION ${schema}`);
    expect((await outboxRelay('check', '--config', config)).stdout).toMatch(/\n0 errors, 1 warning, \d+ in order\n$/);
    const faulty = await outboxRelay('check', '--config', config, '--json');
    const { findings } = JSON.parse(faulty.stdout) as { findings: ReportedFinding[] };
    const faults = findings.filter(({ status }) => status !== 'ok');
    expect(faults.map(({ subject }) => subject)).toEqual(['postgres.publication_exists']);
    for (const { remedy } of faults) await admin.query(remedy ?? '');

    const sound = await outboxRelay('check', '--config', config);
    expect([sound.code, sound.stderr]).toEqual([0, '']);
    expect(sound.stdout).toMatch(/\n0 errors, 0 warnings, \d+ in order\n$/);
    expect(sound.stdout).toContain('destination console');
  });

  it('check tells a database that cannot be reached, and a broker, side by side', async () => {
    const config = await configFile({
      postgres: { url: 'postgres://relay@127.0.0.1:1/shop' },
      destinations: { rabbit: { type: 'rabbitmq', url: 'amqp://127.0.0.1:1' } },
    });
    const { code, stdout } = await outboxRelay('check', '--config', config, '--json');
    expect(code).toBe(3);
    const { findings } = JSON.parse(stdout) as { findings: ReportedFinding[] };
    const errors = findings.filter(({ status }) => status === 'error').map(({ subject }) => subject);
    expect(errors).toEqual(['postgres.connection', 'rabbitmq.connection']);
  });

  describe('parked rows', () => {
    const schema = uniqueName('cli');
    let config = '';

    beforeAll(async () => {
      config = await configFile({ postgres: { url: database.url }, table: { name: `${schema}.outbox` } });
      await outboxRelay('init', '--config', config, '--no-publication');
      await admin.query(`
        INSERT INTO ${schema}.outbox (aggregatetype, aggregateid, type, payload)
        SELECT 'order', 'order-' || n, 'OrderPlaced', '{"total": 12345678901234567890}' FROM generate_series(1, 4) n;
        INSERT INTO ${schema}.outbox_parked (position, id, destination, key, code, reason, attempts, parked_at)
        SELECT position, id, 'console', aggregateid, CASE WHEN position < 3 THEN 'message_too_large' ELSE 'route_none' END,
          CASE WHEN position = 2 THEN 'larger than 100% of the_limit' ELSE 'too large' END, 1, now() FROM ${schema}.outbox`);
    });

    async function left(): Promise<{ rows: number; marks: number }> {
      const { rows } = await admin.query<{ rows: number; marks: number }>(
        `SELECT (SELECT count(*)::int FROM ${schema}.outbox) AS rows,
          (SELECT count(*)::int FROM ${schema}.outbox_parked) AS marks`,
      );
      return rows[0]!;
    }

    it('are listed by what they have in common, and shown with what they hold', async () => {
      const listed = await outboxRelay('parked', 'list', '--config', config, '--code', 'route_none', '--json');
      expect(JSON.parse(listed.stdout)).toMatchObject([
        { position: '3', key: 'order-3', code: 'route_none', attempts: 1 },
        { position: '4', key: 'order-4' },
      ]);
      const byReason = await outboxRelay('parked', 'list', '-c', config, '--reason', '100% OF THE_limit', '--json');
      expect(JSON.parse(byReason.stdout)).toMatchObject([{ position: '2' }]);
      const all = await outboxRelay('parked', 'list', '--config', config);
      expect(all.stdout.trimEnd().split('\n')).toHaveLength(5);
      const shown = await outboxRelay('parked', 'show', '--config', config, '--key', 'order-2');
      expect(shown.stdout).toContain('{"total": 12345678901234567890}');
    });

    it('are changed only where they are named, or all where that is confirmed', async () => {
      const before = await left();
      for (const args of [['retry'], ['retry', '--all', '--key', 'x'], ['retry', '--all'], ['discard', '--key', 'x']]) {
        const { code } = await outboxRelay('parked', ...args, '--config', config);
        expect([args, code]).toEqual([args, 2]);
      }
      expect(await left()).toEqual(before);
    });

    it('are published again, or deleted, with their marks', async () => {
      const retried = await outboxRelay('parked', 'retry', '--config', config, '--key', 'order-1');
      expect([retried.code, retried.stdout.slice(0, 6)]).toEqual([0, '1 rows']);
      expect(await left()).toEqual({ rows: 4, marks: 3 });
      const discarded = await outboxRelay('parked', 'discard', '-c', config, '--code', 'route_none', '--yes', '--json');
      expect(JSON.parse(discarded.stdout)).toEqual({ discarded: 2 });
      expect(await left()).toEqual({ rows: 2, marks: 1 });
      await outboxRelay('parked', 'retry', '--config', config, '--all', '--yes');
      expect(await left()).toEqual({ rows: 2, marks: 0 });
      expect((await outboxRelay('parked', 'list', '--config', config)).stdout).toBe('No rows are parked.\n');
    });
  });
});
