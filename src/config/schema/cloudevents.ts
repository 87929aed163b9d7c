import { z } from 'zod';
import { AMQP_PREFIXES, type AmqpPrefix, extensionNameFault } from '../../core/cloudevents.ts';
import { parseTemplate } from '../../core/template.ts';
import { isUri, isUriReference } from '../../core/uri.ts';
import { choice, flag, section, template, text } from './scalars.ts';

/** Stands for a column's value: valid in every part of a URI in which a column makes sense, a port included. */
const ANY_VALUE = '0';

/** A template of a URI, looked at as far as columns leave it certain: one that begins with a column may come to anything. */
const uriTemplate = (what: string, accepts: (uri: string) => boolean) =>
  template(what).superRefine((given, context) => {
    const parts = partsOf(given);
    if (parts === null || (parts.length > 0 && typeof parts[0] !== 'string')) return;
    const sample = parts.map((part) => (typeof part === 'string' ? part : ANY_VALUE)).join('');
    if (sample !== '' && accepts(sample)) return;
    context.addIssue({ code: 'custom', message: `expected ${what}` });
  });

/** Null: not a template, which has been told already. */
function partsOf(given: string): ReturnType<typeof parseTemplate> | null {
  try {
    return parseTemplate(given);
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

const named = <Value extends z.ZodType>(value: Value, expected: string) =>
  z.record(z.string(), value, { error: () => expected }).superRefine((given, context) => {
    for (const name of Object.keys(given)) {
      const fault = extensionNameFault(name);
      if (fault !== null) context.addIssue({ code: 'custom', path: [name], message: fault });
    }
  });

const EXTENSION_VALUE = 'expected a template, true, false, or a whole number of 32 bits';

const extensionValue = z.union(
  [template('a template'), z.boolean(), z.number().refine((value) => (value | 0) === value, EXTENSION_VALUE)],
  { error: () => EXTENSION_VALUE },
);

/** The `cloudEvents:` section of a route. */
export const cloudEventsSchema = section({
  mode: choice(['binary', 'structured'])
    .describe(
      '`binary`: attributes in headers, the payload is the body. `structured`: the body is a JSON object with attributes and data.',
    )
    .prefault('binary'),
  source: uriTemplate(
    'a URI or a reference to one (RFC 3986) of one character at least, such as https://shop.example/orders or /orders/${tenant}',
    isUriReference,
  ).describe(
    'Where events come from: a template of a URI-reference. With the id it names an event, so let no two tables share it. Values of columns among other text are percent-encoded.',
  ),
  type: template('an event type')
    .refine((given) => given !== '', 'expected an event type, not an empty text')
    .optional()
    .describe('Type of the event, a template.')
    .meta({ fallback: '${type}' }),
  subject: template('a subject')
    .nullable()
    .describe('What the event is about, a template. Null, or what comes to null: no such attribute.')
    .prefault('${aggregateid}'),
  time: template('a timestamp')
    .nullable()
    .optional()
    .describe(
      'When it happened, a template: a timestamp column, or text of RFC 3339. By default `${created_at}`, where the table has it. Null: no such attribute.',
    ),
  dataschema: uriTemplate('a URI (RFC 3986), such as https://schemas.example/${type}', isUri)
    .nullable()
    .describe('URI of the schema that the payload adheres to, a template. Null: no such attribute.')
    .prefault(null),
  extensions: named(extensionValue, 'expected names of attributes with templates: { partitionkey: "${aggregateid}" }')
    .describe(
      'Further attributes: each a template, true, false, or a whole number. Names have lower-case letters and digits only. What comes to null or an empty text is left out.',
    )
    .prefault({}),
  extensionHeaders: named(
    text('the name of a header'),
    'expected names of attributes with names of headers: { correlationid: x-correlation-id }',
  )
    .describe("Attributes that take the value of a message's header, by the header's exact name.")
    .prefault({}),
  traceContext: flag()
    .describe(
      'Whether the trace context that a row carries becomes the attributes `traceparent` and `tracestate` too; the headers of that name stay.',
    )
    .prefault(true),
  nullPayload: choice(['event', 'tombstone'])
    .describe(
      'What a null payload becomes with `mode: structured`. `event`: an event without data. `tombstone`: a null value, which removes the key from a compacted topic, with the attributes in headers.',
    )
    .prefault('event'),
  prefix: choice(AMQP_PREFIXES)
    .optional()
    .describe('RabbitMQ: what the names of attributes in headers begin with.')
    .meta({ fallback: AMQP_PREFIXES[0] }),
});

/** The section as written, with defaults. */
export type CloudEventsSettings = z.output<typeof cloudEventsSchema>;

/** The section, resolved. */
export interface CloudEventsConfig extends Omit<CloudEventsSettings, 'type' | 'time' | 'prefix'> {
  readonly type: string;
  readonly time: string | null;
  readonly prefix: AmqpPrefix;
}
