import type { TopicRule } from './java-pattern.ts';
import { optionValue, type Reading, secretValue } from './value.ts';

const PREFIX = 'sink.rabbitmq.';
const CONNECTION = `${PREFIX}connection.`;
const DEFAULT_NULL = 'default';

/** The destination of type rabbitmq, and where messages go. */
export interface RabbitmqMapping {
  readonly destination: Readonly<Record<string, unknown>>;
  readonly exchange: string;
  readonly routingKey: string;
  /** Of the route: only a routing key can be rewritten. */
  readonly rewrite: TopicRule['rewrite'];
  /** The body of what would be a tombstone. */
  readonly nullValue: string;
}

/** Reads the sink of Debezium Server. @param rule where events would go by topic */
export function readRabbitmqSink(rule: TopicRule, reading: Reading): RabbitmqMapping {
  const { settings, findings } = reading;
  const exchange = settings.text(`${PREFIX}exchange`);
  const routingKey = settings.text(`${PREFIX}routingKey`);
  const fromTopic = readsTopic(reading);
  const byTopic = routingKey === undefined && fromTopic;
  if (exchange === undefined && rule.rewrite !== null)
    findings.error(
      settings.nameOf(`${PREFIX}exchange`),
      'without an exchange the topic is its name, and an exchange cannot be rewritten by a pattern',
      'Write one route with `match` and `exchange` for each value of the column.',
    );
  findings.warning(
    settings.nameOf('sink.type'),
    'messages are mandatory: one that no queue takes is refused and parked, where Debezium loses it without a word',
    'Bind a queue to every routing key, or give the exchange an alternate exchange.',
  );
  readDelivery(reading);
  const timeout = settings.text(`${PREFIX}ackTimeout`);
  const queues = readQueues(routingKey ?? '', byTopic, reading);
  return {
    destination: {
      type: 'rabbitmq',
      ...readConnection(reading),
      ...(timeout !== undefined && { confirmTimeout: `${Math.min(1_800_000, Math.max(1000, Number(timeout)))}ms` }),
      ...(queues.length > 0 && { queues }),
    },
    exchange: exchange ?? rule.topic,
    routingKey: routingKey ?? (byTopic ? rule.topic : ''),
    rewrite: byTopic ? rule.rewrite : null,
    nullValue: settings.text(`${PREFIX}null.value`) ?? DEFAULT_NULL,
  };
}

/** `routingKeyFromTopicName`, or, in later versions, `routingKey.source`. */
function readsTopic({ settings, findings }: Reading): boolean {
  const source = settings.text(`${PREFIX}routingKey.source`)?.toLowerCase();
  if (source === 'key')
    findings.error(
      settings.nameOf(`${PREFIX}routingKey.source`),
      "the record's key is the routing key",
      'Write `routingKey: ${aggregateid}` into the route.',
    );
  return settings.flag(`${PREFIX}routingKeyFromTopicName`, false) || source === 'topic';
}

function readDelivery({ settings, findings }: Reading): void {
  const mode = settings.text(`${PREFIX}deliveryMode`);
  if (mode !== undefined && mode !== '2')
    findings.warning(settings.nameOf(`${PREFIX}deliveryMode`), 'messages are always persistent: nothing is to be lost');
  else if (mode !== undefined) findings.ok(settings.nameOf(`${PREFIX}deliveryMode`), 'messages are always persistent');
}

function readQueues(routingKey: string, byTopic: boolean, { settings, findings }: Reading): readonly object[] {
  const name = `${PREFIX}autoCreateRoutingKey`;
  const durable = settings.flag(`${PREFIX}routingKeyDurable`, true);
  if (!settings.flag(name, false)) return [];
  if (!byTopic) return [{ name: routingKey, declare: true, durable, arguments: { 'x-queue-type': 'classic' } }];
  findings.error(
    settings.nameOf(name),
    'a queue is made for each topic as it comes; the relay declares only queues that it is told by name',
    'List the queues under `queues` of the destination, or declare them elsewhere.',
  );
  return [];
}

function readConnection(reading: Reading): Readonly<Record<string, unknown>> {
  const { settings, findings } = reading;
  const uri = secretValue(`${CONNECTION}uri`, 'AMQP_URL', reading);
  const option = (name: string): string | undefined => optionValue(`${CONNECTION}${name}`, reading);
  const port = option('port');
  const user = option('username');
  const vhost = option('virtual.host');
  const password = secretValue(`${CONNECTION}password`, 'RABBITMQ_PASSWORD', reading);
  const heartbeat = settings.text(`${CONNECTION}connection.heartbeat`);
  const timeout = settings.text(`${CONNECTION}connection.timeout`);
  for (const name of ['connection.recovery.enabled', 'topology.recovery.enabled', 'connection.channel.max'])
    if (settings.text(`${CONNECTION}${name}`) !== undefined)
      findings.ok(settings.nameOf(`${CONNECTION}${name}`), 'the relay connects anew by itself, with one channel');
  return {
    ...(uri === undefined ? { host: option('host') ?? 'localhost' } : { url: uri }),
    ...(port !== undefined && { port: /^\d+$/.test(port) ? Number(port) : port }),
    ...(vhost !== undefined && { vhost }),
    ...(user !== undefined && { user }),
    ...(password !== undefined && { password }),
    ...readTls(reading),
    ...(Number(heartbeat) >= 1 && { heartbeat: `${Math.min(600, Number(heartbeat))}s` }),
    ...(Number(timeout) >= 100 && { connectTimeout: `${Math.min(300_000, Number(timeout))}ms` }),
  };
}

/** Java's client verifies neither certificate nor name unless it is told to. */
function readTls(reading: Reading): { readonly tls?: Readonly<Record<string, string>> } {
  const { settings, findings } = reading;
  if (!settings.flag(`${CONNECTION}ssl.enabled`, false)) return {};
  const names = settings.flag(`${CONNECTION}ssl.verify.hostname`, false);
  const verified = names || settings.flag(`${CONNECTION}ssl.validate.server.certificate`, false);
  for (const store of ['key.store', 'trust.store']) {
    const file = `${CONNECTION}ssl.${store}`;
    for (const detail of ['password', 'type', 'algorithm']) settings.settle(`${file}.${detail}`);
    if (settings.text(file) === undefined) continue;
    findings.error(
      settings.nameOf(file),
      'a store is for Java: the relay reads PEM',
      'openssl pkcs12 -in store.p12 -out store.pem; name it as `tls.ca`, or as `tls.cert` and `tls.key`, of the destination.',
    );
  }
  if (!verified)
    findings.warning(
      settings.nameOf(`${CONNECTION}ssl.enabled`),
      'the server is not proven: neither here nor there',
      'Set `tls.mode: verify-full` and `tls.ca` of the destination.',
    );
  return { tls: { mode: names ? 'verify-full' : verified ? 'verify-ca' : 'require' } };
}
