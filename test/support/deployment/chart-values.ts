import type { Values } from './helm.ts';

/** The least that a release needs. */
export const BASE = {
  config: {
    postgres: { url: '${DATABASE_URL}', user: 'relay' },
    destinations: { kafka: { type: 'kafka', brokers: 'kafka:9092' } },
  },
  credentials: { create: { DATABASE_URL: 'postgres://db.example/shop' } },
} as const;

/** A container that the relay stands beside. */
export const APPLICATION = { name: 'shop', image: 'shop:1' } as const;

/** What people may give the chart, by a name. */
export const MATRIX: Readonly<Record<string, Values>> = {
  'the least': BASE,
  'everything at once': {
    ...BASE,
    config: { ...BASE.config, shutdown: { drain: '1.5m' }, limits: { undeleted: 1_000_000 } },
    configKind: 'Secret',
    credentials: {
      create: { DATABASE_URL: 'postgres://db/shop', 'admin-token': 'secret' },
      adminTokenKey: 'admin-token',
    },
    antiAffinity: 'hard',
    init: { enabled: true, existingSecret: 'owner', passwordKey: 'password', writerRole: 'shop' },
    networkPolicy: {
      enabled: true,
      ingressFrom: [{ namespaceSelector: { matchLabels: { name: 'monitoring' } } }],
      egressTo: [{ ipBlock: { cidr: '10.0.0.0/8' } }],
      extraEgress: [{ ports: [{ port: 4317, protocol: 'TCP' }] }],
    },
    monitoring: {
      serviceMonitor: { enabled: true, labels: { release: 'prometheus' }, endpoint: { honorLabels: true } },
      prometheusRule: { enabled: true },
      dashboard: { enabled: true },
    },
    extraEnv: [{ name: 'OUTBOX_RELAY_LOG_LEVEL', value: 'debug' }],
    extraVolumes: [{ name: 'ca', secret: { secretName: 'ca' } }],
    extraVolumeMounts: [{ name: 'ca', mountPath: '/etc/ca' }],
    lifecycle: { preStop: { sleep: { seconds: 1 } } },
    nodeSelector: { disk: 'ssd' },
    tolerations: [{ key: 'a', operator: 'Exists' }],
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: 'zone',
        whenUnsatisfiable: 'ScheduleAnyway',
        labelSelector: { matchLabels: { a: 'b' } },
      },
    ],
    priorityClassName: 'high',
    imagePullSecrets: [{ name: 'registry' }],
    image: { digest: `sha256:${'0'.repeat(64)}` },
    podAnnotations: { a: 'b' },
    podLabels: { c: 'd' },
  },
  'shards, two brokers and health checks by gRPC': {
    ...BASE,
    config: {
      postgres: { url: '${DATABASE_URL}', user: 'relay' },
      table: { name: 'events.outbox' },
      capture: { publication: 'events' },
      shards: 4,
      limits: { memory: '64MiB' },
      destinations: {
        kafka: { type: 'kafka', brokers: 'kafka:9092' },
        rabbitmq: { type: 'rabbitmq', url: 'amqps://rabbitmq' },
      },
      routes: [
        { match: { aggregatetype: 'mail' }, destination: 'rabbitmq', exchange: 'mails', key: '${tenant}' },
        { destination: 'kafka', topic: 'shop.${aggregatetype}', key: 'shop-${tenant}' },
      ],
      tracing: { enabled: true, column: 'tracingspancontext', endpoint: 'https://collector' },
      admin: { grpc: { port: 9465 } },
    },
    init: { enabled: true, existingSecret: 'owner', relayRole: 'relay' },
    networkPolicy: { enabled: true },
  },
  'secrets of its own': { ...BASE, credentials: { existingSecret: 'relay', asEnvironment: false }, extraEnvFrom: [] },
  'a configuration of its own': {
    existingConfig: { kind: 'Secret', name: 'mine', key: 'relay.yaml' },
    credentials: { existingSecret: 'relay' },
  },
  istio: { ...BASE, serviceMesh: { type: 'istio' }, init: { enabled: true, existingSecret: 'owner' } },
  linkerd: { ...BASE, serviceMesh: { type: 'linkerd' }, monitoring: { podMonitor: { enabled: true } } },
  'a sidecar of an application': { ...BASE, mode: 'sidecar', sidecar: { containers: [APPLICATION] } },
  'a sidecar of another chart': { ...BASE, mode: 'sidecar', monitoring: { podMonitor: { enabled: true } } },
  'nothing but the pods': {
    ...BASE,
    replicas: 1,
    antiAffinity: 'none',
    serviceAccount: { create: false },
    podDisruptionBudget: { enabled: false },
    probes: { startup: null, liveness: null, readiness: null },
    resources: { limits: null, requests: null },
  },
};

/** What the chart refuses: a name, the values, what is said about them. */
export const REFUSALS: readonly (readonly [string, Values, RegExp])[] = [
  ['a misspelt value', { ...BASE, replica: 1 }, /replica'? (is )?not allowed/],
  [
    'a misspelt option of the relay',
    { ...BASE, config: { ...BASE.config, capture: { publicaton: 'x' } } },
    /config\/capture'?: additional properties 'publicaton' not allowed/,
  ],
  [
    'a port that is not known before the relay runs',
    { ...BASE, config: { ...BASE.config, admin: { port: '${PORT}' } } },
    /config\/admin\/port'?: got string, want integer/,
  ],
  [
    'a password that YAML takes for a number',
    { ...BASE, credentials: { create: { PGPASSWORD: 12345678 } } },
    /PGPASSWORD'?: got number, want string/,
  ],
  ['a misspelt limit', { ...BASE, resources: { limit: { memory: '1Gi' } } }, /'limit' not allowed/],
  ['a misspelt probe', { ...BASE, probes: { liveness: { periodSecond: 3 } } }, /'periodSecond' not allowed/],
  ['a name that Services cannot have', { ...BASE, fullnameOverride: 'My.Shop' }, /fullnameOverride/],
  ['no database', { config: { destinations: BASE.config.destinations } }, /config\.postgres is missing/],
  ['no destination', { config: { postgres: BASE.config.postgres } }, /config\.destinations is missing/],
  [
    'two sources of secrets',
    { ...BASE, credentials: { ...BASE.credentials, existingSecret: 'a' } },
    /exclude each other/,
  ],
  ['a token of no Secret', { config: BASE.config, credentials: { adminTokenKey: 'token' } }, /adminTokenKey is a key/],
  [
    'two monitors',
    { ...BASE, monitoring: { serviceMonitor: { enabled: true }, podMonitor: { enabled: true } } },
    /scrape each pod twice/,
  ],
  ['a grace period shorter than the drain', { ...BASE, terminationGracePeriodSeconds: 24 }, /must be at least 25/],
  [
    'a drain that is no duration',
    { ...BASE, config: { ...BASE.config, shutdown: { drain: 'soon' } } },
    /config\/shutdown\/drain'?: 'soon' does not match/,
  ],
  ['containers beside no sidecar', { ...BASE, sidecar: { containers: [APPLICATION] } }, /are for mode: sidecar/],
  ['init without a login', { ...BASE, init: { enabled: true } }, /init\.existingSecret is missing/],
  [
    'init without the role of the relay',
    {
      ...BASE,
      config: { ...BASE.config, postgres: { url: 'x' } },
      init: { enabled: true, existingSecret: 'owner' },
    },
    /init\.relayRole is missing/,
  ],
];
