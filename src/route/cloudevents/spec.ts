import type { AmqpPrefix } from '../../core/cloudevents.ts';

/** How the rows of a route become CloudEvents. Texts are templates where it says so. */
export interface CloudEventsSpec {
  /** `binary`: attributes in headers, the payload is the body. `structured`: a JSON envelope is the body. */
  readonly mode: 'binary' | 'structured';
  /** Template of a URI-reference. */
  readonly source: string;
  /** Template. */
  readonly type: string;
  /** Template; null: none. */
  readonly subject: string | null;
  /** Template of a timestamp; null: none. */
  readonly time: string | null;
  /** Template of a URI; null: none. */
  readonly dataschema: string | null;
  /** By attribute: a template, or a constant that is no text. */
  readonly extensions: Readonly<Record<string, string | number | boolean>>;
  /** By attribute: the message header whose value it takes. */
  readonly extensionHeaders: Readonly<Record<string, string>>;
  /** Whether the trace context that the row carries becomes attributes too (the extension for distributed tracing). */
  readonly traceContext: boolean;
  /** What a structured event without data is: a body without data, or a tombstone, with the attributes in headers. */
  readonly nullPayload: 'event' | 'tombstone';
  /** What attributes in headers begin with, where the route leads to an exchange. */
  readonly prefix: AmqpPrefix;
}

/** The templates among it. */
export function eventTemplates({
  source,
  type,
  subject,
  time,
  dataschema,
  extensions,
}: CloudEventsSpec): readonly string[] {
  return [source, type, subject, time, dataschema, ...Object.values(extensions)].filter(
    (template) => typeof template === 'string',
  );
}
