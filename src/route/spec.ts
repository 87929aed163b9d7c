import type { OnError } from '../core/routing.ts';
import { parseTemplate } from '../core/template.ts';
import { type CloudEventsSpec, eventTemplates } from './cloudevents/spec.ts';
import { ROW_IDENTITY } from './column.ts';
import type { DebeziumSpec } from './debezium/spec.ts';
import type { RewriteSpec } from './rewrite.ts';

/** Where messages go, as templates. */
export type AddressTemplate =
  | { readonly kind: 'topic'; readonly topic: string }
  | { readonly kind: 'exchange'; readonly exchange: string; readonly routingKey: string };

/** One configured route, with its defaults filled in. Texts are templates (`${column}`) where it says so. */
export interface RouteSpec {
  /**
   * The route takes rows of which every column named here has one of its values, compared as text; null is SQL null.
   * Empty: all rows that no route before it took. Booleans are compared as `true` and `false`.
   */
  readonly match: Readonly<Record<string, readonly (string | null)[]>>;
  readonly destination: string;
  readonly address: AddressTemplate;
  /** What becomes of the topic, or the routing key, when the templates are filled in; null: nothing. */
  readonly rewrite: RewriteSpec | null;
  /** Template of the number of the partition, a single column; null, or a column that is null: by the key. For Kafka. */
  readonly partition: string | null;
  /** Template of the message key; null: no key, no order. A template of a single column gives no key when that is null. */
  readonly key: string | null;
  /** Header name to template. A template of a single column leaves the header out when that is null. */
  readonly headers: Readonly<Record<string, string>>;
  /** The media type of the body; null: by the type of the payload column. */
  readonly contentType: string | null;
  /** Null: the rows become plain messages. */
  readonly cloudEvents: CloudEventsSpec | null;
  readonly onError: OnError;
  /** Where rows at fault are sent with `onError: dead-letter`; null for the others. */
  readonly deadLetter: AddressTemplate | null;
  /** Null: the relay's own messages, the payload as it is. */
  readonly debezium: DebeziumSpec | null;
}

/**
 * The columns that routes need for their templates and matches, each once, by the names they use. The id and the
 * position are not among them: every row carries these.
 */
export function columnsUsed(specs: readonly RouteSpec[]): readonly string[] {
  const names = new Set<string>();
  for (const spec of specs) {
    for (const name of Object.keys(spec.match)) names.add(name);
    for (const name of Object.values(spec.debezium?.envelope ?? {})) names.add(name);
    for (const template of templatesOf(spec)) {
      for (const part of parseTemplate(template)) if (typeof part !== 'string') names.add(part.column);
    }
  }
  for (const name of ROW_IDENTITY) names.delete(name);
  return [...names];
}

function templatesOf(spec: RouteSpec): readonly string[] {
  const addresses = spec.deadLetter === null ? [spec.address] : [spec.address, spec.deadLetter];
  return [
    ...addresses.flatMap((address) =>
      address.kind === 'topic' ? [address.topic] : [address.exchange, address.routingKey],
    ),
    ...(spec.key === null ? [] : [spec.key]),
    ...(spec.partition === null ? [] : [spec.partition]),
    ...Object.values(spec.headers),
    ...(spec.debezium?.envelopeSchema ? [spec.debezium.envelopeSchema] : []),
    ...(spec.cloudEvents === null ? [] : eventTemplates(spec.cloudEvents)),
  ];
}
