/** What scripts rely on: the exit code of each command's main failures, and what stands on standard output with `--json`. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { VerifyReport } from '../../src/verify/report.ts';
import { outboxRelay } from '../support/cli.ts';
import { samplesOf } from '../support/doc-samples.ts';
import { shapeOf } from '../support/json-shape.ts';
import { connectAdmin } from '../support/outbox.ts';
import { describeWithService, freshDatabase, uniqueName } from '../support/service.ts';
import { freePort } from '../support/services/ports.ts';
import { configFile } from '../support/verify-report.ts';

const PAGE = 'docs/json-output.md';

/** The sample below a heading of the page. */
function documented(command: string): unknown {
  const sample = samplesOf(PAGE).find(({ heading, language }) => heading === command && language === 'json');
  if (sample === undefined) throw new Error(`${PAGE} has no sample of '${command}'`);
  return JSON.parse(sample.text);
}

/** Whether what was printed is JSON, and has the fields that are documented. */
function expectDocumented(stdout: string, command: string): void {
  expect(shapeOf(JSON.parse(stdout))).toEqual(shapeOf(documented(command)));
}

const COMMANDS = [
  'run',
  'init',
  'check',
  'status',
  'parked list',
  'parked show',
  'parked retry --key k',
  'parked discard --id i',
  'verify',
  'config print',
  'config validate',
];

const REPORTING = COMMANDS.filter((command) => command !== 'run');
const run = (command: string, ...args: readonly string[]) => outboxRelay(...command.split(' '), ...args);

describe('without any server', () => {
  it.each([...COMMANDS, 'config schema', 'completion bash'])('%s refuses an unknown option with 2', async (command) => {
    const { code, stdout, stderr } = await run(command, '--bogus');
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain("unknown option '--bogus'");
  });

  it.each(COMMANDS)('%s ends with 3 where the configuration is missing', async (command) => {
    const { code, stdout, stderr } = await run(command, '--config', '/nowhere/relay.yaml');
    expect([code, stdout]).toEqual([3, '']);
    expect(stderr).toMatch(/^outbox-relay: config_invalid: .*\/nowhere\/relay\.yaml.*\n {2}Name the file/);
  });

  it.each(REPORTING)('%s tells that as JSON, too', async (command) => {
    const { code, stdout, stderr } = await run(command, '--config', '/nowhere/relay.yaml', '--json');
    expect(code).toBe(3);
    expectDocumented(stdout, 'When a command fails');
    expect(JSON.parse(stdout)).toMatchObject({ ok: false, error: { code: 'config_invalid' } });
    expect(stderr).toContain('config_invalid');
  });

  it.each(['init', 'parked list', 'parked retry --key k', 'verify'])(
    '%s ends with 1 where no server answers',
    async (command) => {
      const config = await configFile({
        postgres: { url: `postgres://relay@127.0.0.1:${await freePort()}/shop` },
        destinations: { kafka: { type: 'kafka', brokers: 'localhost:9092' } },
      });
      const { code, stdout, stderr } = await run(command, '--config', config);
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(/^outbox-relay: postgres_unreachable: .*127\.0\.0\.1/);
    },
  );

  it('status ends with 1 where no relay answers', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const { code, stdout } = await outboxRelay('status', '--url', url, '--json');
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ ok: false, error: {} });
  });

  it.each(['nonsense', 'localhost:9464', 'postgres://relay@db/shop'])(
    'status and tap refuse %s as the address of a relay',
    async (url) => {
      for (const command of ['status', 'tap']) {
        const { code, stderr } = await run(command, '--url', url);
        expect([code, stderr.includes('such as http://127.0.0.1:9464')]).toEqual([2, true]);
      }
    },
  );

  it('names --config where no configuration is given at all', async () => {
    const { code, stderr } = await run('run');
    expect(code).toBe(3);
    expect(stderr).toMatch(
      /postgres: is missing.*\n.*destinations: is missing[^]*\n {2}Name a configuration file: --config FILE/,
    );
  });

  it('migrate ends with 2 for a wrong call, and with 3 for what it cannot read or say, as JSON, too', async () => {
    expect((await outboxRelay('migrate', 'debezium')).code).toBe(2);
    expect((await outboxRelay('migrate', 'debezium', '--properties', 'a', '--connect', 'b')).code).toBe(2);
    expect((await outboxRelay('migrate', 'debezium', '--properties', 'a', '--worker', 'b')).code).toBe(2);
    const missing = await outboxRelay('migrate', 'debezium', '--connect', '/nowhere.json', '--json');
    expect(missing.code).toBe(3);
    expectDocumented(missing.stdout, 'When a command fails');
    const refused = await outboxRelay('migrate', 'debezium', '--properties', '/dev/null');
    expect([refused.code, refused.stdout]).toEqual([3, '']);
    expect(refused.stderr).toContain('! transforms: there is no outbox event router');
  });

  it('migrate prints a configuration that can be validated', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'migrate-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = async (name: string, text: string): Promise<string> => {
      await writeFile(join(folder, name), text);
      return join(folder, name);
    };
    const properties = await file(
      'application.properties',
      `debezium.sink.type=kafka
debezium.sink.kafka.producer.bootstrap.servers=k:9092
debezium.source.database.hostname=db
debezium.source.database.user=relay
debezium.source.database.dbname=shop
debezium.source.table.include.list=public.outbox
debezium.format.key=simplestring
debezium.format.value=simplestring
debezium.format.header.schemas.enable=false
debezium.transforms=outbox
debezium.transforms.outbox.type=io.debezium.transforms.outbox.EventRouter
`,
    );
    const { code, stdout } = await outboxRelay('migrate', 'debezium', '--properties', properties);
    const config = await file('relay.yaml', stdout);
    const validated = await outboxRelay('config', 'validate', '--config', config);
    expect([code, validated.code, validated.stdout]).toEqual([0, 0, 'The configuration is valid.\n']);
    const avro = await file('avro.env', 'DEBEZIUM_FORMAT_VALUE=avro');
    const all = ['migrate', 'debezium', '--properties', properties, '--properties', avro, '--table', 'public.outbox'];
    const refused = await outboxRelay(...all, '--json');
    expect(refused.code).toBe(3);
    expect(JSON.parse(refused.stdout)).toMatchObject({ ok: false, config: null, table: 'public.outbox' });
    expect(JSON.parse((await outboxRelay(...all, '--json', '--force')).stdout)).toMatchObject({
      config: { postgres: {} },
    });
    const [finding] = (JSON.parse(refused.stdout) as { findings: { status: string }[] }).findings.filter(
      ({ status }) => status === 'error',
    );
    expect(shapeOf({ ok: false, config: null, table: '', findings: [finding] })).toEqual(
      shapeOf(documented('migrate debezium')),
    );
  });

  it('suggests what was meant', async () => {
    expect((await outboxRelay('chek')).stderr).toContain('Did you mean check?');
    expect((await outboxRelay('check', '--jsn')).stderr).toContain('Did you mean --json?');
    const { code, stderr } = await outboxRelay('parked', 'list', '--code', 'route_nine');
    expect([code, stderr.includes('did you mean route_none?')]).toEqual([2, true]);
  });

  it('verify reports what is documented', () => {
    const findings = <Example>(example: Example) => ({ count: 1, examples: [example] });
    const report: VerifyReport = {
      ok: false,
      waitingRows: 0,
      waitingRowsEstimated: false,
      destinations: [
        {
          ...{ destination: 'd', read: ['t'], foreign: 0, notJudged: ['n'], parkedRows: 0, notRetained: 0 },
          ...{ window: { since: '', until: '' }, messages: 1, ids: 1, recorded: 1 },
          missing: findings({ position: 1n, id: 'i', key: 'k', address: 'a', publishedAt: '' }),
          duplicated: { ...findings({ id: 'i', copies: 1, where: 'w' }), copies: 1 },
          outOfOrder: findings({ id: 'i', position: 1n, behind: 2n }),
          unexpected: findings('i'),
        },
      ],
    };
    expect(shapeOf(report)).toEqual(shapeOf(documented('verify')));
  });
});

describeWithService('postgres', 'on a database', () => {
  const database = freshDatabase();
  const schema = uniqueName('contract');
  let admin: pg.Client;

  beforeAll(async () => {
    admin = await connectAdmin(database.url);
  });
  afterAll(() => admin.end());

  const config = (postgres: object = { url: database.url }, table = schema): Promise<string> =>
    configFile({
      postgres,
      table: { name: `${table}.outbox` },
      capture: { publication: schema },
      destinations: { console: { type: 'console' } },
      admin: { port: 0 },
    });

  it('every command with --json prints what is documented, and nothing else', async () => {
    const file = await config();
    const report = async (command: string, ...args: readonly string[]): Promise<string> => {
      const { stdout, stderr } = await run(command, '--config', file, '--json', ...args);
      expect(stderr).toBe('');
      expectDocumented(stdout, command);
      return stdout;
    };
    await report('init', '--relay-role', await plainRole());
    await admin.query(`DROP PUBLICATION ${schema};
      INSERT INTO ${schema}.outbox (aggregatetype, aggregateid, type, payload) VALUES ('order', 'o', 'x', '{}'), ('order', 'p', 'x', '{}');
      INSERT INTO ${schema}.outbox_parked (position, id, destination, key, code, reason) SELECT position, id, 'console', aggregateid,
        'route_none', 'r' FROM ${schema}.outbox`);
    await report('check');
    await report('parked list');
    await report('parked show');
    await report('parked discard', '--key', 'p', '--yes');
    await report('parked retry', '--key', 'o');
    const { stdout } = await outboxRelay('config', 'validate', '--config', file, '--json');
    expect(JSON.parse(stdout)).toEqual({ ok: true, warnings: [] });
  });

  it('parked retry takes any number of rows, by parts, and what it was asked for only', async () => {
    const file = await config();
    await outboxRelay('init', '--config', file, '--yes');
    await admin.query(`INSERT INTO ${schema}.outbox_parked (position, id, destination, key, code, reason)
      SELECT n, 'many', CASE WHEN n > 2500 THEN 'other' ELSE 'console' END, n, 'route_none', 'r'
      FROM generate_series(1, 2600) n`);
    const { stdout } = await run('parked retry --destination console --json', '--config', file);
    expect(JSON.parse(stdout)).toEqual({ retried: 2500 });
    const discarded = await run('parked discard --destination other --yes --json', '--config', file);
    expect(JSON.parse(discarded.stdout)).toEqual({ discarded: 100 });
  });

  const roles: string[] = [];
  afterAll(async () => {
    for (const role of roles) await admin.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
  });

  /** May log in, and not replicate: told in a note. */
  async function plainRole(): Promise<string> {
    const role = uniqueName('contract_role');
    roles.push(role);
    await admin.query(`CREATE ROLE ${role} LOGIN`);
    return role;
  }

  it.each(['run', 'parked list', 'parked retry --key k', 'parked discard --id i'])(
    '%s ends with 3 where the table is missing',
    async (command) => {
      const file = await config({ url: database.url }, uniqueName('missing'));
      const { code, stderr, stdout } = await run(command, '--config', file);
      expect(code).toBe(3);
      expect(stderr + stdout).toContain('there is no table');
    },
  );

  it.each(['run', 'init', 'parked list', 'parked retry --key k', 'parked discard --id i'])(
    '%s ends with 3 where the login is refused',
    async (command) => {
      const url = new URL(database.url);
      url.username = uniqueName('nobody');
      const { code, stderr, stdout } = await outboxRelay(
        ...command.split(' '),
        '--config',
        await config({ url: url.href }),
      );
      expect(code).toBe(3);
      expect(stderr + stdout).toContain('postgres_authentication');
    },
  );
});
