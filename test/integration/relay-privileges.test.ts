import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ErrorCode } from '../../src/core/error-catalogue.ts';
import type { Finding } from '../../src/core/finding.ts';
import { companionTables, quoteIdentifier, quoteTable, type TableName } from '../../src/postgres/identifier.ts';
import { grantStatements, relayPrivileges } from '../../src/postgres/privileges.ts';
import { outboxRelay } from '../support/cli.ts';
import { tableMapping } from '../support/outbox.ts';
import { type RelayOutbox, relayOutbox } from '../support/relay-outbox.ts';
import { type RelayConfig, type RelayProcess, startRelay } from '../support/relay-process.ts';
import { describeWithLauncher } from '../support/service.ts';
import { postgresMajor } from '../support/services/postgres-binaries.ts';
import { type StartedPostgres, startPostgres } from '../support/services/postgres.ts';
import { removeScratchFolder, scratchFolder } from '../support/services/scratch.ts';
import { makeCertificates } from '../support/services/tls.ts';
import { until } from '../support/services/until.ts';

/** What becomes of the relay without a grant, and of a row in order and one at fault: the column "Without" of docs/security.md. */
interface Lack {
  /** Needed as a term begins: its sessions are ended, so that another one does. */
  readonly ofTerm?: true;
  /** What it tells; null: nothing. */
  readonly told: ErrorCode | null;
  readonly role: 'leader' | 'standby';
  /** Of the row in order. */
  readonly row: 'deleted' | 'published' | 'waits';
  /** Of the row at fault. */
  readonly faulty: 'parked' | 'waits';
}

const told = 'postgres_permission';
const STANDS_BY: Lack = { ofTerm: true, told, role: 'standby', row: 'waits', faulty: 'waits' };
const GOES_ON: Lack = { told: null, role: 'leader', row: 'deleted', faulty: 'parked' };

const LACKS: Readonly<Record<string, Lack>> = {
  REPLICATION: { ...GOES_ON, ofTerm: true, told: 'replication_denied' },
  'USAGE schema': STANDS_BY,
  'SELECT outbox': { ...STANDS_BY, role: 'leader' },
  'DELETE outbox': { ...GOES_ON, told, row: 'published' },
  'SELECT parked': STANDS_BY,
  'INSERT parked': { ...GOES_ON, told, faulty: 'waits' },
  'UPDATE parked': { ...GOES_ON, told, faulty: 'waits' },
  'DELETE parked': GOES_ON,
  'SELECT lease': STANDS_BY,
  'INSERT lease': STANDS_BY,
  'UPDATE lease': STANDS_BY,
  'SELECT published': { ...GOES_ON, ofTerm: true, told },
  'INSERT published': { ...GOES_ON, told, row: 'published' },
  'DELETE published': { ...GOES_ON, ofTerm: true, told },
  'SELECT schemaVersion': { ...GOES_ON, ofTerm: true },
};

interface Grant {
  readonly name: string;
  readonly give: string;
  readonly take: string;
}

/** All that `init` gives the role, one by one. */
function grantsOf(table: TableName, role: string): readonly Grant[] {
  const names = Object.entries({ outbox: table, ...companionTables(table) });
  const privileges = relayPrivileges(table).map((privilege): Grant => {
    const [give = ''] = grantStatements([privilege], role);
    const object = names.find(([, { name }]) => name === privilege.on.name)?.[0] ?? privilege.kind;
    const take = give.replace(/^GRANT/, 'REVOKE').replace(/ TO (\S+);$/, ' FROM $1');
    return { name: `${privilege.privilege} ${object}`, give, take };
  });
  const quoted = quoteIdentifier(role);
  const give = `ALTER ROLE ${quoted} REPLICATION;`;
  return [{ name: 'REPLICATION', give, take: `ALTER ROLE ${quoted} NOREPLICATION` }, ...privileges];
}

test('it is told of each grant what becomes of a relay without it', () => {
  const names = grantsOf(tableMapping(), 'relay').map(({ name }) => name);
  expect(Object.keys(LACKS).sort()).toEqual(names.sort());
});

describeWithLauncher('postgres', 'a relay over TLS whose role lacks a grant', () => {
  let server: StartedPostgres;
  let folder: string;

  beforeAll(async () => {
    const { ca, server: pair } = await makeCertificates();
    folder = await scratchFolder('privileges');
    await writeFile(join(folder, 'ca.pem'), ca);
    const hba = [
      'local all all trust',
      'host all postgres 127.0.0.1/32 trust',
      'hostssl all,replication all 127.0.0.1/32 scram-sha-256',
    ];
    server = await startPostgres({ version: postgresMajor(), tls: pair, hba });
  }, 120_000);
  afterAll(async () => {
    await server.dispose();
    await removeScratchFolder(folder);
  });

  /** The relay's configuration: rows of type `sent` are in order, others have no route. Rows expire. */
  function configuration(outbox: RelayOutbox): RelayConfig {
    const { postgres, ...rest } = outbox.config({
      destinations: { out: { type: 'console' } },
      routes: [{ destination: 'out', match: { type: 'sent' } }],
      published: { retain: '1h' },
    });
    const tls = { mode: 'verify-full', ca: join(folder, 'ca.pem') };
    return { ...rest, postgres: { ...(postgres as object), tls } };
  }

  /** Inserts a row in order and one at fault, each with a key of its own. */
  async function insertPair({ admin, table }: RelayOutbox): Promise<void> {
    await admin.query(
      `INSERT INTO ${table} (aggregatetype, aggregateid, type, payload)
       SELECT 'order', gen_random_uuid(), type, '{}' FROM unnest(ARRAY['sent', 'unknown']) type`,
    );
  }

  async function rowsOf({
    admin,
    table,
    name,
  }: RelayOutbox): Promise<{ sent: number; faulty: number; parked: number }> {
    const { rows } = await admin.query<{ sent: number; faulty: number; parked: number }>(
      `SELECT count(*) FILTER (WHERE type = 'sent')::int AS sent, count(*) FILTER (WHERE type <> 'sent')::int AS faulty,
         (SELECT count(*)::int FROM ${quoteTable(companionTables(name).parked)}) AS parked FROM ${table}`,
    );
    return rows[0]!;
  }

  async function endSessions({ admin, role }: RelayOutbox): Promise<void> {
    await admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1', [role]);
  }

  /** What `check` does not find in order in the database. */
  async function check(): Promise<readonly Finding[]> {
    const { stdout } = await outboxRelay('check', '--config', join(folder, 'relay.yaml'), '--json');
    const { findings } = JSON.parse(stdout) as { findings: (Finding & { section: string })[] };
    return findings.filter(({ section, status }) => section === 'postgres' && status !== 'ok');
  }

  async function becomes(lack: Lack, relay: RelayProcess, outbox: RelayOutbox): Promise<void> {
    const published = await relay.metric('published_total');
    const from = new Date().toISOString();
    const untilTold = async (): Promise<void> => {
      if (lack.told === null) return;
      await relay.waitFor(lack.told, ({ lastErrors }) =>
        lastErrors.some(({ code, at }) => code === lack.told && at >= from),
      );
    };
    if (lack.ofTerm) {
      await endSessions(outbox);
      await untilTold();
    }
    await insertPair(outbox);
    if (!lack.ofTerm) await untilTold();
    await relay.untilRole(lack.role);
    const wanted = { sent: lack.row === 'deleted' ? 0 : 1, isParked: lack.faulty === 'parked' };
    const arrived = async (): Promise<boolean> => {
      const { sent, faulty, parked } = await rowsOf(outbox);
      return sent === wanted.sent && (parked === faulty) === wanted.isParked;
    };
    await until(arrived, {
      what: 'what becomes of the rows',
      everyMs: 20,
      details: async () => JSON.stringify(await rowsOf(outbox)),
    });
    if (lack.row === 'waits') expect(await relay.metric('published_total')).toBe(published);
    else await until(async () => (await relay.metric('published_total')) > published, { what: 'the row in order' });
  }

  test(
    'it is told by check with the statement that mends it, and the relay goes on by itself then',
    { timeout: 180_000 },
    async () => {
      const outbox = await relayOutbox(server.url);
      const config = configuration(outbox);
      await writeFile(join(folder, 'relay.yaml'), JSON.stringify(config));
      expect(await check()).toEqual([]);
      const relay = await startRelay(config);
      await relay.untilState('streaming');

      for (const { name, give, take } of grantsOf(outbox.name, outbox.role)) {
        await outbox.admin.query(take);
        await becomes(LACKS[name]!, relay, outbox).catch((cause: unknown) => {
          throw new Error(`without ${name}`, { cause });
        });

        const [finding, ...others] = await check();
        expect(others, name).toEqual([]);
        expect(finding?.remedy, name).toContain(give);
        await outbox.admin.query(finding!.remedy!);
        const mended = async (): Promise<boolean> => {
          const { sent, faulty, parked } = await rowsOf(outbox);
          return sent === 0 && parked === faulty;
        };
        await until(mended, { what: `the rows, once there is ${name} again`, everyMs: 20 });
        await relay.untilState('streaming');
      }
      const { rows } = await outbox.admin.query<{ ssl: boolean }>(
        'SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = $1',
        [outbox.role],
      );
      expect(rows).toEqual([{ ssl: true }]);
    },
  );
});
