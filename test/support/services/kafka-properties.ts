import type { Certificates } from './tls.ts';

/** What a client may connect by: plain or over TLS (with a client certificate), each with or without SASL. */
export type KafkaListener = 'plaintext' | 'tls' | 'sasl' | 'sasl-tls';

/**
 * The account of the SASL listeners; mechanisms PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512. By OAUTHBEARER anybody is let in
 * who shows an unsigned token that is valid now: {@link unsignedToken}.
 */
export const KAFKA_CREDENTIALS = { username: 'app', password: 'app-secret' } as const;

/** A token that Kafka's unsecured validator takes for so many seconds. */
export function unsignedToken(seconds: number): string {
  const now = Math.floor(Date.now() / 1000);
  const parts = [{ alg: 'none' }, { sub: KAFKA_CREDENTIALS.username, iat: now - 60, exp: now + seconds }];
  return `${parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')}.`;
}

/** Arguments of the storage tool that create the account of {@link KAFKA_CREDENTIALS} for SCRAM. */
export const SCRAM_ARGUMENTS: readonly string[] = ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
  '--add-scram',
  `${mechanism}=[name=${KAFKA_CREDENTIALS.username},password=${KAFKA_CREDENTIALS.password}]`,
]);

/** The ports of one node, all on 127.0.0.1. */
export interface KafkaNodePorts {
  readonly controller: number;
  /** Between brokers, and to ask whether a node is up. Always plain. */
  readonly internal: number;
  readonly clients: Readonly<Partial<Record<KafkaListener, number>>>;
}

/** What the configuration of a node is made of. */
export interface KafkaNode {
  /** From 1. */
  readonly id: number;
  /** The ports of all nodes of the cluster, by id - 1. */
  readonly cluster: readonly KafkaNodePorts[];
  readonly logDir: string;
  /** Where the server's key and certificate, and the authority's certificate lie as PEM files. */
  readonly pemFiles: { readonly server: string; readonly authority: string } | undefined;
  /** What the plaintext listener tells clients to connect to instead of itself, such as a proxy: `host:port`. */
  readonly advertised: string | undefined;
  /** Win over everything else. */
  readonly properties: Readonly<Record<string, string>>;
}

const LISTENER_NAMES: Readonly<Record<KafkaListener, string>> = {
  plaintext: 'PLAINTEXT',
  tls: 'TLS',
  sasl: 'SASL',
  'sasl-tls': 'SASLTLS',
};

/** The server.properties of a node, which is broker and controller. */
export function kafkaProperties(node: KafkaNode): string {
  const all = { ...cluster(node), ...listeners(node), ...security(node), ...node.properties };
  return Object.entries(all)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

function cluster({ id, cluster, logDir }: KafkaNode): Record<string, string> {
  const several = cluster.length > 1;
  const replicas = String(cluster.length);
  return {
    'process.roles': 'broker,controller',
    'node.id': String(id),
    'controller.quorum.voters': cluster
      .map(({ controller }, index) => `${index + 1}@127.0.0.1:${controller}`)
      .join(','),
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': logDir,
    'auto.create.topics.enable': 'false',
    'default.replication.factor': replicas,
    'min.insync.replicas': several ? '2' : '1',
    'offsets.topic.num.partitions': '1',
    'offsets.topic.replication.factor': replicas,
    'transaction.state.log.num.partitions': '1',
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': several ? '2' : '1',
    'group.initial.rebalance.delay.ms': '0',
    'log.cleaner.dedupe.buffer.size': '4194304',
    // A broker that is gone is noticed sooner than after the default 9 s.
    'broker.session.timeout.ms': '3000',
    'broker.heartbeat.interval.ms': '500',
  };
}

function listeners({ id, cluster, advertised }: KafkaNode): Record<string, string> {
  const ports = cluster[id - 1];
  if (ports === undefined) throw new Error(`no ports for node ${id}`);
  const clients = Object.entries(ports.clients) as [KafkaListener, number][];
  const address = (name: string, port: number) => `${name}://127.0.0.1:${port}`;
  const ours = [
    ...clients.map(([listener, port]) => address(LISTENER_NAMES[listener], port)),
    address('INTERNAL', ports.internal),
  ];
  const told = ours.map((one) => (one.startsWith('PLAINTEXT:') && advertised ? `PLAINTEXT://${advertised}` : one));
  return {
    listeners: [...ours, address('CONTROLLER', ports.controller)].join(','),
    'advertised.listeners': told.join(','),
    'inter.broker.listener.name': 'INTERNAL',
    'listener.security.protocol.map':
      'PLAINTEXT:PLAINTEXT,TLS:SSL,SASL:SASL_PLAINTEXT,SASLTLS:SASL_SSL,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT',
  };
}

function security({ pemFiles }: KafkaNode): Record<string, string> {
  return { ...sasl(), ...(pemFiles === undefined ? {} : tls(pemFiles)) };
}

function tls(pemFiles: { server: string; authority: string }): Record<string, string> {
  return {
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': pemFiles.server,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': pemFiles.authority,
    'listener.name.tls.ssl.client.auth': 'required',
    // each thread takes another certificate at a time of its own
    'listener.name.tls.num.network.threads': '1',
    'ssl.allow.dn.changes': 'true',
    'ssl.allow.san.changes': 'true',
  };
}

function sasl(): Record<string, string> {
  const { username, password } = KAFKA_CREDENTIALS;
  const module = (name: string) => `org.apache.kafka.common.security.${name} required`;
  const logins = ['sasl', 'sasltls'].flatMap((listener) => [
    [`${listener}.plain`, `${module('plain.PlainLoginModule')} user_${username}="${password}";`],
    [`${listener}.scram-sha-256`, `${module('scram.ScramLoginModule')};`],
    [`${listener}.scram-sha-512`, `${module('scram.ScramLoginModule')};`],
    [
      `${listener}.oauthbearer`,
      `${module('oauthbearer.OAuthBearerLoginModule')} unsecuredLoginStringClaim_sub="broker";`,
    ],
  ]);
  return {
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
    ...Object.fromEntries(logins.map(([name = '', login = '']) => [`listener.name.${name}.sasl.jaas.config`, login])),
  };
}

/** The files of {@link KafkaNode.pemFiles}: what is to be written into them. */
export function pemTexts(certificates: Certificates): { server: string; authority: string } {
  return { server: certificates.server.key + certificates.server.cert, authority: certificates.ca };
}
