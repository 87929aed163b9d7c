import { z } from 'zod';
import { type CloudEventsConfig, cloudEventsSchema } from './cloudevents.ts';
import { debeziumSchema } from './debezium.ts';
import { choice, section, template, text } from './scalars.ts';

export const DEFAULT_TOPIC = 'outbox.event.${aggregatetype}';
export const DEFAULT_EXCHANGE = 'outbox.event';
export const DEFAULT_ROUTING_KEY = '${aggregatetype}';

const matchValue = z.union([z.string(), z.number(), z.boolean(), z.null()]);

const match = z
  .record(z.string(), z.union([matchValue, z.array(matchValue).min(1)]), {
    error: () =>
      'expected columns with the value, or the list of values, that they must have: { aggregatetype: [order, invoice] }',
  })
  .transform((columns) =>
    Object.fromEntries(
      Object.entries(columns).map(([column, value]) => [
        column,
        (Array.isArray(value) ? value : [value]).map((one) => (one === null ? null : String(one))),
      ]),
    ),
  )
  .refine(
    (columns) => Object.keys(columns).length > 0,
    'expected at least one column (leave match out for the default route)',
  )
  .describe(
    'Columns with the value, or list of values, that a row must have (null: SQL null). A route without it takes every row; it must be the last.',
  );

/** Headers of the relay's own: the dedup key, which must never change, and the event's type, which Debezium has not. */
const RESERVED_HEADERS = ['id', 'x-deduplication-header', 'type'];

const headers = z
  .record(z.string(), template('a template'), { error: () => 'expected header names with templates' })
  .describe("Headers to add, each a template; they go before the row's own of the same name.")
  .prefault({});

const topic = template('a topic').refine((given) => given !== '', 'expected a topic, not an empty text');
const exchange = template('an exchange');
const routingKey = template('a routing key');

/** One entry of `routes:`, as it is written. */
export const routeSchema = section({
  match: match.optional(),
  destination: text('the name of a destination').describe('Where the rows go: a name under `destinations`.'),
  topic: topic.optional().describe('Kafka: the topic, a template.').meta({ fallback: DEFAULT_TOPIC }),
  exchange: exchange
    .optional()
    .describe('RabbitMQ: the exchange, a template; an empty text is the default exchange.')
    .meta({ fallback: DEFAULT_EXCHANGE }),
  routingKey: routingKey
    .optional()
    .describe('RabbitMQ: the routing key, a template.')
    .meta({ fallback: DEFAULT_ROUTING_KEY }),
  key: template('a template')
    .nullable()
    .describe('Message key, a template; order is kept per key. Null: no key, no order.')
    .prefault('${aggregateid}'),
  partition: template('a template')
    .nullable()
    .describe(
      'Kafka: the number of the partition, from 0, such as `${shard}`. Null, or a column that is null: by the key, as Java does.',
    )
    .prefault(null),
  rewrite: section({
    pattern: text('a regular expression')
      .refine(isPattern, 'expected a regular expression')
      .describe('Regular expression of JavaScript, which must match the whole.'),
    replacement: text('a text').describe('What it becomes; `$1` and `$<name>` are groups of the pattern.'),
  })
    .nullable()
    .describe('Rewrites the topic, or with RabbitMQ the routing key, that the template comes to. Null: as it is.')
    .prefault(null),
  headers,
  contentType: text('a media type such as application/json')
    .nullable()
    .describe("Media type of the body. Null: by the payload column's type.")
    .prefault(null),
  cloudEvents: cloudEventsSchema
    .nullable()
    .describe('Publishes rows as CloudEvents 1.0. Null: as plain messages.')
    .prefault(null),
  onError: choice(['park-key', 'dead-letter', 'halt'])
    .describe(
      'When the broker refuses a row for good. `park-key`: the row and all of its key are set aside, the rest flows. `dead-letter`: the row is sent to `deadLetter`. `halt`: the destination stands still.',
    )
    .prefault('park-key'),
  deadLetter: section({
    topic: topic.optional().describe('Kafka: topic of dead letters, a template.'),
    exchange: exchange.optional().describe('RabbitMQ: exchange of dead letters, a template.'),
    routingKey: routingKey
      .optional()
      .describe('RabbitMQ: routing key of dead letters, a template.')
      .meta({ fallback: DEFAULT_ROUTING_KEY }),
  })
    .nullable()
    .describe('Where dead letters go, on the same destination; needed with `onError: dead-letter`.')
    .prefault(null),
  debezium: debeziumSchema,
}).superRefine(({ headers: given, debezium }, context) => {
  for (const name of debezium === null ? RESERVED_HEADERS : RESERVED_HEADERS.slice(0, -1)) {
    if (!(name in given)) continue;
    const message = 'is set by the relay itself to the id of the row: choose another name';
    context.addIssue({ code: 'custom', path: ['headers', name], message });
  }
});

function isPattern(given: string): boolean {
  try {
    return new RegExp(given, 'u').source !== '';
  } catch {
    return false;
  }
}

/** A route as written, with defaults, before the kind of its destination is known. */
export type RouteSettings = z.output<typeof routeSchema>;

/** Where a route leads: templates, in the form that the kind of destination takes. A console takes topics. */
export type AddressTemplates =
  | { readonly kind: 'topic'; readonly topic: string }
  | { readonly kind: 'exchange'; readonly exchange: string; readonly routingKey: string };

/** A route, resolved. */
export interface RouteConfig {
  /** By column name, the values one of which a row must have (null: SQL null); empty is the default route. */
  readonly match: Readonly<Record<string, readonly (string | null)[]>>;
  readonly destination: string;
  readonly address: AddressTemplates;
  readonly rewrite: RouteSettings['rewrite'];
  /** A template; null: by the key. */
  readonly partition: string | null;
  /** A template; null: no key. */
  readonly key: string | null;
  /** Names and templates. */
  readonly headers: Readonly<Record<string, string>>;
  /** Null: by the payload column's type. */
  readonly contentType: string | null;
  /** Null: plain messages. */
  readonly cloudEvents: CloudEventsConfig | null;
  readonly onError: RouteSettings['onError'];
  readonly deadLetter: AddressTemplates | null;
  readonly debezium: RouteSettings['debezium'];
}
