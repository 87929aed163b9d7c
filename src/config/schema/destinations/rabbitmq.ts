import { z } from 'zod';
import { choice, duration, flag, integer, refuse, secret, section, size, text } from '../scalars.ts';
import { attempt, rejectRepetition } from '../transformations.ts';
import { tlsOptions, tlsSchema } from '../tls.ts';
import { definedOnly, parseHosts } from '../url-parts.ts';
import { defaultPort, parseRabbitmqUrl } from './rabbitmq-url.ts';

const shortString = (what: string, minBytes = 1) =>
  text(`${what} of ${minBytes} to 255 bytes`, minBytes === 0 ? /^/ : undefined).refine(
    (given) => Buffer.byteLength(given) <= 255,
    `expected ${what} of at most 255 bytes`,
  );

const brokerArguments = z
  .record(z.string(), z.union([z.string(), z.number(), z.boolean()]), {
    error: () => 'expected names with texts, numbers or booleans',
  })
  .describe('Arguments, such as `alternate-exchange` or `x-queue-type`.');

const exchange = section({
  name: shortString("an exchange's name").describe('Name of the exchange.'),
  type: text('an exchange type such as topic')
    .describe('`topic`, `direct`, `fanout`, `headers`, or one that a plugin adds.')
    .prefault('topic'),
  durable: flag().describe('Whether it survives a restart of the broker.').prefault(true),
  arguments: brokerArguments.prefault({}),
});

const binding = section({
  exchange: shortString("an exchange's name").describe('Exchange to bind to.'),
  routingKey: shortString('a routing key', 0).describe('Routing key, or pattern of them (`orders.#`).'),
});

const queue = section({
  name: shortString("a queue's name").describe('Name of the queue.'),
  declare: flag().describe('`false`: the queue must be there already, and is only looked for.').prefault(false),
  durable: flag().describe('Whether it survives a restart of the broker.').prefault(true),
  arguments: brokerArguments.prefault({ 'x-queue-type': 'quorum' }),
  bindings: z.array(binding).describe('Bindings to declare with the queue.').prefault([]),
});

const wholeSeconds = duration({ min: '1s', max: '10m' }).refine(
  (ms) => ms % 1000 === 0,
  'expected whole seconds, such as 10s',
);

const DEFAULT_USER = 'guest';

const fields = section({
  type: z.literal('rabbitmq').describe('This destination is a RabbitMQ broker or cluster.'),
  url: secret('a URL such as amqps://relay@rabbit.example/shop')
    .transform((given, context) => attempt(context, [], () => parseRabbitmqUrl(given)))
    .optional()
    .describe(
      '`amqp://user:password@host:5672/vhost`, or `amqps://`; several hosts of a cluster with commas. What it leaves out can be given by the options below.',
    ),
  host: text('a host name')
    .optional()
    .describe('Host, or several separated by commas, each perhaps with its port; tried in order.'),
  port: integer(1, 65535)
    .optional()
    .describe('Port of the hosts that name none; 5671 with TLS.')
    .meta({ fallback: 5672 }),
  vhost: shortString('a virtual host').optional().describe('Virtual host.').meta({ fallback: '/' }),
  user: text('a user name').optional().describe('User.').meta({ fallback: DEFAULT_USER }),
  password: secret('a password').optional().describe('Password of the user; `guest` for the user guest.'),
  tls: tlsSchema
    .nullable()
    .optional()
    .describe(
      'TLS to the broker; an empty section (`tls: {}`) verifies everything, and so does `amqps://` without this section.',
    ),
  heartbeat: wholeSeconds.describe('Interval of heartbeats; a silent broker is given up after three.').prefault('10s'),
  connectTimeout: duration({ min: '100ms', max: '5m' })
    .describe('How long connecting, logging in and opening a channel may take together, for each host.')
    .prefault('15s'),
  confirmTimeout: duration({ min: '1s', max: '30m' })
    .describe('How long a confirm may take; time in which the broker blocks publishers (an alarm) does not count.')
    .prefault('30s'),
  ordering: choice(['strict', 'relaxed'])
    .describe(
      '`strict`: at most one unconfirmed message per key, so that order per key is never lost. `relaxed`: any number, faster where keys are few; after a refusal later messages of the key may be in the queue first.',
    )
    .prefault('strict'),
  window: section({
    messages: integer(1, 100_000).describe('How many messages may be unconfirmed.').prefault(1000),
    bytes: size({ min: '64KiB', max: '1GiB' })
      .describe('How many bytes may be unconfirmed; a single larger message is sent alone.')
      .prefault('16MiB'),
  })
    .describe('What may be sent and not yet confirmed.')
    .prefault({}),
  unroutableRetry: duration({ min: '0s', max: '1h' })
    .describe('How long a message that no queue takes is tried again before it is refused; its key waits.')
    .prefault('30s'),
  declareExchanges: z
    .array(exchange)
    .describe('Exchanges to declare on connecting. Without it they must be there.')
    .prefault([]),
  queues: z
    .array(queue)
    .describe(
      'Queues to declare, or to look for, on connecting. One that would discard confirmed messages (`x-overflow: drop-head` with a limit) is refused.',
    )
    .prefault([]),
  managementUrl: secret('a URL such as http://rabbit.example:15672')
    .refine(
      (given) => URL.canParse(given) && /^https?:/.test(given),
      'expected a URL such as http://rabbit.example:15672',
    )
    .nullable()
    .describe(
      'The management API, by which `check` finds queues that discard confirmed messages; logs in as `user` unless the URL has a login. Null: its usual port is tried.',
    )
    .prefault(null),
  appId: shortString('a name')
    .describe("The `app_id` of messages, and the connection's name in the broker's lists.")
    .prefault('outbox-relay'),
});

/** A destination of `type: rabbitmq`; in the result the heartbeat is in seconds (as AMQP has it), other durations in milliseconds. */
export const rabbitmqSchema = fields
  .transform(({ url, host, port, vhost, user, password, tls, heartbeat, ...options }, context) => {
    const given = { host, port, vhost, user, password };
    rejectRepetition('url', url && { ...url, host: url.hosts, port: url.hosts }, given, context);
    if (url?.secure === true && tls === null) refuse(context, 'contradicts url: amqps:// means TLS', ['tls']);
    if (url?.secure === false && tls) refuse(context, 'contradicts url: write amqps:// for TLS', ['tls']);
    const secured = tls ?? (url?.secure === true ? tlsOptions('verify-full', {}) : null);
    const hosts = url?.hosts ?? hostsOf(host, port ?? defaultPort(secured !== null), context);
    const login = { user: DEFAULT_USER, vhost: '/', ...url, ...definedOnly(given) };
    const known = login.password ?? (login.user === DEFAULT_USER ? DEFAULT_USER : undefined);
    return {
      ...options,
      hosts,
      vhost: login.vhost,
      user: login.user,
      password: known ?? refuse(context, 'is missing: give it in url or as password', ['password']),
      tls: secured,
      heartbeat: heartbeat / 1000,
    };
  })
  .describe('RabbitMQ: persistent, mandatory, publisher confirms.');

function hostsOf(host: string | undefined, port: number, context: z.core.$RefinementCtx) {
  if (host === undefined) return refuse(context, 'is missing: expected a URL, or a host', ['url']);
  return attempt(context, ['host'], () => parseHosts(host, port));
}
