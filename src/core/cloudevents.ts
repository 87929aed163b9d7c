/** What CloudEvents 1.0 says of attributes (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md). */

/** The attributes that the specification itself defines. */
const CONTEXT_ATTRIBUTES = [
  'specversion',
  'id',
  'source',
  'type',
  'datacontenttype',
  'dataschema',
  'subject',
  'time',
] as const;

/** Attributes of the extension for distributed tracing. */
export const TRACING_ATTRIBUTES = ['traceparent', 'tracestate'] as const;

/** Names longer than that are to be avoided. */
const LONGEST_NAME = 20;

/** The prefixes by which attributes travel in the headers of AMQP messages. */
export const AMQP_PREFIXES = ['cloudEvents_', 'cloudEvents:', 'ce-'] as const;
export type AmqpPrefix = (typeof AMQP_PREFIXES)[number];

/** The prefix by which attributes travel in the headers of Kafka records. */
export const KAFKA_PREFIX = 'ce_';

/** What is wrong with the name of an extension attribute; null: nothing that the specification forbids. */
export function extensionNameFault(name: string): string | null {
  if (!/^[a-z0-9]+$/.test(name)) return 'the name of an attribute consists of lower-case letters and digits only';
  if (name === 'data') return "no attribute may be called 'data'";
  if (CONTEXT_ATTRIBUTES.some((known) => known === name)) return 'is an attribute of CloudEvents itself, no extension';
  return null;
}

/** What the specification advises against in a legal name; null: nothing. */
export function extensionNameAdvice(name: string): string | null {
  if (name.length > LONGEST_NAME) return `is longer than ${LONGEST_NAME} characters`;
  return /^[0-9]/.test(name) ? 'does not begin with a letter' : null;
}

/**
 * Whether a header of that name would be read as an attribute, or, of a Kafka record, as the media type of its value.
 * Whatever its case: readers fold it.
 */
export function isEventHeader(address: 'topic' | 'exchange', name: string): boolean {
  return (address === 'topic' ? /^(?:ce_|content-type$)/i : /^(?:cloudevents[_:]|ce-)/i).test(name);
}

/** Whether a text can be the value of an attribute of type String. */
export function isAttributeText(text: string): boolean {
  // Most are ASCII, of which this is told several times faster.
  return /^[ -~]*$/.test(text) || !/[\p{Control}\p{Surrogate}\p{Noncharacter_Code_Point}]/u.test(text);
}

/**
 * A timestamp of RFC 3339 from what Postgres prints in UTC with ISO dates; a timestamp without time zone is taken for UTC, as
 * in all that the relay does. All digits of the second are kept. Text that is of RFC 3339 already stays as it is.
 *
 * @returns null for what RFC 3339 cannot say: infinity, years before 1 and after 9999
 */
export function toRfc3339(printed: string): string | null {
  const [, date, time, zone] = TIMESTAMP.exec(printed) ?? [];
  if (date === undefined || time === undefined) return null;
  return `${date}T${time}${zone === undefined || zone === '+00' ? 'Z' : zone}`;
}

const TIMESTAMP =
  /^([0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01]))[ Tt]((?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?)(\+00|[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])?$/;

/** Whether a media type, its parameters aside, says that the content is JSON. */
export function isJsonMediaType(mediaType: string): boolean {
  return /^[^/;]+\/(?:[^/;]+\+)?json\s*(?:;|$)/i.test(mediaType);
}
