import { describe, expect, it } from 'vitest';
import { loadConfig, type Config, type KafkaConfig, type RabbitmqConfig } from '../../src/config/index.ts';
import { RelayError } from '../../src/core/errors.ts';
import type { PostgresOptions } from '../../src/postgres/connection.ts';
import type { KafkaOptions } from '../../src/publish/kafka/options.ts';
import type { RabbitmqOptions } from '../../src/publish/rabbitmq/options.ts';
import type { RouteSpec } from '../../src/route/spec.ts';
import { failure, load, MINIMAL, POSTGRES } from './config-support.ts';

/** Held by the compiler: what the configuration yields is what the parts take. */
export const asTaken: {
  readonly postgres: (given: Config['postgres']) => PostgresOptions;
  readonly kafka: (given: KafkaConfig) => KafkaOptions;
  readonly routes: (given: Config['routes']) => readonly RouteSpec[];
  readonly rabbitmq: (given: RabbitmqConfig) => RabbitmqOptions;
} = { postgres: (given) => given, routes: (given) => given, kafka: (given) => given, rabbitmq: (given) => given };

describe('loading', () => {
  it('completes a minimal file with defaults, in milliseconds and bytes', () => {
    const config = load(MINIMAL);
    expect(config.capture).toMatchObject({ mode: 'auto', pollInterval: 200, walBudget: 1024 ** 3, passRows: 50_000 });
    expect(config.limits).toEqual({ memory: 32 * 1024 ** 2, undeleted: 20_000, parked: 10_000 });
    expect(config.destinations.kafka).toMatchObject({
      brokers: ['k:9092'],
      tls: null,
      batchBytes: 900_000,
      requestTimeoutMs: 20_000,
    });
    expect(config.routes).toEqual([
      {
        match: {},
        destination: 'kafka',
        address: { kind: 'topic', topic: 'outbox.event.${aggregatetype}' },
        key: '${aggregateid}',
        headers: {},
        contentType: null,
        cloudEvents: null,
        onError: 'park-key',
        deadLetter: null,
        rewrite: null,
        partition: null,
        debezium: null,
      },
    ]);
    expect(config.warnings).toEqual([]);
  });

  it('is frozen to its depth', () => {
    const config = load(MINIMAL);
    for (const part of [config, config.postgres.hosts, config.routes[0], config.destinations.kafka]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });

  it('needs no file where the environment says enough, and treats sections without options as left out', () => {
    expect(failure('')).toContain('postgres');
    expect(load(`${MINIMAL}capture:\nadmin:\n  # port: 1\n`).capture.pollInterval).toBe(200);
  });

  it('leaves what is not said of tracing to the environment of OpenTelemetry', () => {
    const nothing = { protocol: null, endpoint: null, headers: {}, serviceName: null, sampler: null, ratio: null };
    expect(load(MINIMAL).tracing).toEqual({ enabled: false, column: null, ...nothing });
    const env = { OUTBOX_RELAY_TRACING_ENABLED: 'true', OUTBOX_RELAY_TRACING_RATIO: '.25' };
    expect(load(MINIMAL, env).tracing).toEqual({ enabled: true, column: null, ...nothing, ratio: 0.25 });
    const wrong = failure(`${MINIMAL}tracing: { ratio: 2, protocol: http/json, endpoint: "collector:4318" }`);
    expect(wrong).toMatch(/tracing\.ratio .*: expected a number from 0 to 1/);
    expect(wrong).toMatch(/tracing\.protocol .*: expected http\/protobuf or grpc/);
    expect(wrong).toMatch(/tracing\.endpoint .*: expected a URL such as http:\/\/localhost:4318/);
  });

  it('merges files, the later over the earlier', () => {
    const files: Readonly<Record<string, string>> = {
      'a.yaml': `${MINIMAL}admin: { host: 0.0.0.0, port: 1 }\n`,
      'b.yaml': 'admin: { port: 2 }\n',
    };
    const config = loadConfig({ file: ['a.yaml', 'b.yaml'], env: {}, readFile: (path) => files[path] ?? '' });
    expect(config.admin).toMatchObject({ host: '0.0.0.0', port: 2 });
  });

  it('tells all problems at once, each with option, place and remedy', () => {
    const message = failure(
      `postgres: { url: "postgres://u@h/d", passwrod: x }
capture: { pollInterval: 200, mode: auot, passRows: 1 }
limits: { memory: 1B }
destinations:
  kafka: { type: kafka, brokers: nowhere, driver: kafkajs, compression: lz4 }
  rabbit: { type: rabbitmq, host: r, window: { messages: 0 } }
  1st: { type: console }
  other: { type: redis }
routes:
  - destination: kafak
  - { match: { type: a }, destination: rabbit, topic: t, onError: dead-letter }
  - { destination: kafka, topic: "\${type" }
log: { level: loud }
shards: 0
speed: 9
`,
    );
    const expected = [
      ["postgres.passwrod (relay.yaml:1:48): unknown option 'passwrod': did you mean 'password'?"],
      ['capture.pollInterval (relay.yaml:2:26): expected a duration: a number with a unit, such as 250ms'],
      ["capture.mode (relay.yaml:2:37): expected auto, replication or polling (did you mean 'auto'?)"],
      ['capture.passRows (relay.yaml:2:53): expected a whole number from 100 to 10000000'],
      ['limits.memory (relay.yaml:3:19): expected a size from 1MiB to 16GiB'],
      ['destinations.kafka.brokers (relay.yaml:5:34): expected addresses of the form host:port'],
      ['destinations.rabbit.window.messages (relay.yaml:6:58): expected a whole number from 1 to 100000'],
      ['destinations.1st (relay.yaml:7:8): expected a name of letters, digits, - and _'],
      ['destinations.other.type (relay.yaml:8:18): expected kafka, rabbitmq or console'],
      ["routes[0].destination (relay.yaml:10:18): no destination has the name 'kafak': did you mean 'kafka'?"],
      ['routes[0] (relay.yaml:10:5): has no match and takes every row: put it last'],
      ['routes[1].topic (relay.yaml:11:55): is for Kafka, and the destination is of type rabbitmq'],
      ['routes[1].deadLetter (relay.yaml:11:5): is missing: onError: dead-letter needs an address'],
      ["routes[2].topic (relay.yaml:12:34): the placeholder at position 1 is not closed: '}' is missing"],
      ['log.level (relay.yaml:13:15): expected debug, info'],
      ['shards (relay.yaml:14:9): expected a whole number from 1 to 64'],
      ["speed (relay.yaml:15:8): unknown option 'speed': known here are postgres, table"],
    ];
    for (const [line] of expected) expect(message).toContain(`  - ${line ?? ''}`);
    expect(message.split('\n')).toHaveLength(expected.length + 1);
  });

  it('throws config_invalid, also for files that are not there or not YAML', () => {
    expect(() => load('a: [')).toThrow(RelayError);
    expect(failure(`a: 1\na: 2`)).toContain('relay.yaml:2:1: this option stands there twice');
    const absent = () =>
      loadConfig({
        file: 'x',
        env: {},
        readFile: () => {
          throw Object.assign(new Error(), { code: 'ENOENT' });
        },
      });
    expect(absent).toThrow('cannot read the configuration file x (ENOENT)');
    expect(absent).toThrow(expect.objectContaining({ code: 'config_invalid' }));
  });
});

describe('overrides from the environment', () => {
  it('go before the file, and may hold what looks like a placeholder', () => {
    const config = load(`${MINIMAL}log: { level: warn }\n`, {
      OUTBOX_RELAY_LOG_LEVEL: 'debug',
      OUTBOX_RELAY_ADMIN_PORT: '0',
      OUTBOX_RELAY_CAPTURE_POLL_INTERVAL: '1s',
      OUTBOX_RELAY_TABLE_COLUMNS_CREATED_AT: 'at',
      OUTBOX_RELAY_POSTGRES_PASSWORD: 'a${b}',
      OUTBOX_RELAY_CAPTURE_MODE: '',
    });
    expect(config.log.level).toBe('debug');
    expect(config.admin.port).toBe(0);
    expect(config.capture).toMatchObject({ pollInterval: 1000, mode: 'auto' });
    expect(config.table.columns.createdAt).toBe('at');
    expect(config.postgres.password).toBe('a${b}');
  });

  it('replace a placeholder whose variable is not set', () => {
    const yaml = 'postgres: { url: "${UNSET}" }\ndestinations: { c: { type: console } }';
    expect(load(yaml, { OUTBOX_RELAY_POSTGRES_URL: 'postgres://u@h/d' }).postgres.user).toBe('u');
  });

  it('are named in problems', () => {
    expect(failure(MINIMAL, { OUTBOX_RELAY_LOG_LEVEL: 'loud' })).toContain(
      'log.level (from OUTBOX_RELAY_LOG_LEVEL): expected debug',
    );
  });

  it('warn of names that set nothing, but not of what Kubernetes sets for a Service', () => {
    const env = {
      OUTBOX_RELAY_LOG_LEVLE: 'debug',
      OUTBOX_RELAY_CONFIG: 'relay.yaml',
      OUTBOX_RELAY_SERVICE_HOST: '10.0.0.1',
      OUTBOX_RELAY_PORT_9464_TCP_ADDR: '10.0.0.1',
    };
    expect(load(MINIMAL, env).warnings).toEqual([
      'environment variable OUTBOX_RELAY_LOG_LEVLE sets no option: did you mean OUTBOX_RELAY_LOG_LEVEL?',
    ]);
  });
});

describe('destinations', () => {
  const rabbit = (options: string) =>
    load(`${POSTGRES}destinations: { r: { type: rabbitmq, ${options} } }`).destinations.r;

  it('reads RabbitMQ by URL and by parts', () => {
    expect(rabbit('url: "amqps://u:p%2F@r1,r2:5670/shop%2Fx", heartbeat: 5s')).toMatchObject({
      hosts: [
        { host: 'r1', port: 5671 },
        { host: 'r2', port: 5670 },
      ],
      user: 'u',
      password: 'p/',
      vhost: 'shop/x',
      tls: { rejectUnauthorized: true, checkHostname: true },
      heartbeat: 5,
    });
    expect(rabbit('host: r1')).toMatchObject({
      hosts: [{ host: 'r1', port: 5672 }],
      user: 'guest',
      password: 'guest',
      vhost: '/',
      tls: null,
      ordering: 'strict',
      window: { messages: 1000, bytes: 16 * 1024 ** 2 },
    });
  });

  it.each([
    ['', 'destinations.r.url', 'is missing: expected a URL, or a host'],
    ['url: "amqp://u@h"', 'destinations.r.password', 'is missing'],
    ['url: "amqp://h", tls: {}', 'destinations.r.tls', 'contradicts url'],
    ['url: "amqps://h", tls: { mode: disable }', 'destinations.r.tls', 'contradicts url'],
    ['url: "amqp://h/v", vhost: w', 'destinations.r.vhost', 'is given by url as well'],
    ['url: "amqp://h?heartbeat=3"', 'destinations.r.url', 'without parameters'],
    ['host: h, heartbeat: 1500ms', 'destinations.r.heartbeat', 'expected whole seconds'],
    ['host: h, declareExchanges: [{ nam: x }]', 'destinations.r.declareExchanges[0].nam', "did you mean 'name'?"],
  ])('refuses RabbitMQ with %j', (options, path, message) => {
    const text = failure(`${POSTGRES}destinations: { r: { type: rabbitmq, ${options} } }`);
    expect(text).toContain(`- ${path} `);
    expect(text).toContain(message);
  });

  it('takes brokers as a list too, and checks Kafka options against each other', () => {
    const kafka = (options: string) => `${POSTGRES}destinations: { k: { type: kafka, ${options} } }`;
    expect(load(kafka('brokers: [a:1, "[::1]:2"]')).destinations.k).toMatchObject({ brokers: ['a:1', '[::1]:2'] });
    expect(failure(kafka('brokers: a:1, driver: kafkajs, compression: lz4'))).toContain('k.compression (relay.yaml');
    expect(failure(kafka('brokers: a:1, batchBytes: 2MB, requestBytes: 1MB'))).toContain(
      'expected at most requestBytes',
    );
    expect(failure(kafka('brokers: a:1, sasl: { mechanism: PLAIN, username: u }'))).toContain('k.sasl.password');
  });
});

describe('routes', () => {
  const BOTH = `${POSTGRES}destinations: { k: { type: kafka, brokers: "k:1" }, r: { type: rabbitmq, host: r }, c: { type: console } }\n`;
  const routes = (list: string) => load(`${BOTH}routes: ${list}`).routes;

  it('get the address that the destination takes', () => {
    const [kafka, rabbit, shown, rest] = routes(
      '[{ match: { type: a }, destination: k, topic: t }, { match: { type: [1, true, null] }, destination: r, onError: dead-letter, deadLetter: { exchange: "" } }, { match: { type: b }, destination: c, exchange: x }, { destination: c, key: null }]',
    );
    expect(kafka?.address).toEqual({ kind: 'topic', topic: 't' });
    expect(rabbit).toMatchObject({
      match: { type: ['1', 'true', null] },
      address: { kind: 'exchange', exchange: 'outbox.event', routingKey: '${aggregatetype}' },
      deadLetter: { kind: 'exchange', exchange: '', routingKey: '${aggregatetype}' },
    });
    expect(shown?.address).toEqual({ kind: 'exchange', exchange: 'x', routingKey: '${aggregatetype}' });
    expect(rest).toMatchObject({ address: { kind: 'topic', topic: 'outbox.event.${aggregatetype}' }, key: null });
  });

  it.each([
    ['[]', 'routes', 'with several destinations, routes must say'],
    ['[{ destination: k, exchange: x }]', 'routes[0].exchange', 'use topic'],
    ['[{ destination: r, topic: x }]', 'routes[0].topic', 'use exchange and routingKey'],
    ['[{ destination: c, topic: x, exchange: y }]', 'routes[0].topic', 'either a topic'],
    ['[{ destination: k, onError: dead-letter }]', 'routes[0].deadLetter', '{ topic: dead-letters }'],
    ['[{ destination: k, onError: dead-letter, deadLetter: {} }]', 'routes[0].deadLetter.topic', 'is missing'],
    ['[{ destination: k, headers: { id: x } }]', 'routes[0].headers.id', 'is set by the relay itself'],
    ['[{ destination: k, headers: { a: "${" } }]', 'routes[0].headers.a', 'not closed'],
    ['[{ destination: k, headers: { type: x } }]', 'routes[0].headers.type', 'is set by the relay itself'],
    ['[{ destination: k, headers: { id: x }, debezium: {} }]', 'routes[0].headers.id', 'is set by the relay itself'],
    ['[{ destination: r, partition: "${type}" }]', 'routes[0].partition', 'is for Kafka'],
    [
      '[{ destination: k, rewrite: { pattern: "(", replacement: x } }]',
      'routes[0].rewrite.pattern',
      'regular expression',
    ],
    ['[{ destination: k, debezium: { expandJson: true } }]', 'routes[0].debezium.expandJson', 'value: json'],
    ['[{ destination: k, debezium: { envelope: { a: type } } }]', 'routes[0].debezium.envelope', 'value: json'],
    [
      '[{ destination: k, debezium: { value: json-with-schema, envelope: { a: type } } }]',
      'routes[0].debezium.envelopeSchema',
      'is missing',
    ],
    [
      '[{ destination: k, debezium: { value: json, envelope: { a: type }, envelopeSchema: x } }]',
      'routes[0].debezium.envelopeSchema',
      'is for value: json-with-schema with an envelope',
    ],
    [
      '[{ destination: k, debezium: { value: json-with-schema, envelope: { a: type }, envelopeSchema: "${headers.a}" } }]',
      'routes[0].debezium.envelopeSchema',
      'no header',
    ],
    ['[{ destination: k, match: {} }]', 'routes[0].match', 'at least one column'],
    ['[{ destination: k, topic: "" }]', 'routes[0].topic', 'not an empty text'],
    ['[{ destination: k }, { destination: r }]', 'routes[0]', 'put it last'],
  ])('refuses %s', (list, path, message) => {
    const text = failure(`${BOTH}routes: ${list}`);
    expect(text).toContain(`- ${path} `);
    expect(text).toContain(message);
  });

  it('leave the header type to those whose messages are as Debezium has them', () => {
    const [route] = routes("[{ destination: k, headers: { type: '${type}' }, debezium: { headers: json } }]");
    expect(route).toMatchObject({ headers: { type: '${type}' }, debezium: { headers: 'json', value: 'plain' } });
  });

  it('have columns in the name of the schema of an envelope, and the environment where that is said', () => {
    const list =
      "[{ destination: k, debezium: { value: json-with-schema, envelope: { a: type }, envelopeSchema: '${env:P}.${aggregatetype}' } }]";
    const {
      routes: [route],
    } = load(`${BOTH}routes: ${list}`, { P: 'shop' });
    expect(route?.debezium?.envelopeSchema).toBe('shop.${aggregatetype}');
    const absent = failure(`${BOTH}table: { columns: { aggregatetype: null } }\nroutes: ${list}`, { P: 'shop' });
    expect(absent).toMatch(/routes\[0\]\.debezium\.envelopeSchema .*uses the column aggregatetype/);
  });

  it('use only columns that the table has', () => {
    const text = failure(`${BOTH}table: { columns: { aggregatetype: null, createdAt: null } }
routes: [{ match: { created_at: x }, destination: k }, { destination: r, routingKey: a, headers: { at: "\${created_at}" } }]`);
    expect(text).toContain(
      'routes[0].topic (relay.yaml:4:10): uses the column aggregatetype, but table.columns.aggregatetype is null',
    );
    expect(text).toContain(
      'routes[0].match (relay.yaml:4:19): uses the column created_at, but table.columns.createdAt is null',
    );
    expect(text).toContain('routes[1].headers.at');
  });

  it('warn of a missing default route, an unused destination and an idle dead letter', () => {
    const config = load(`${BOTH}routes: [{ match: { type: a }, destination: k, deadLetter: { topic: t } }]`);
    expect(config.warnings).toEqual([
      expect.stringContaining('there is no default route'),
      "no route leads to the destination 'r'",
      "no route leads to the destination 'c'",
      'routes[0].deadLetter has no effect: onError is park-key',
    ]);
  });
});
