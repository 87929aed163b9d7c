import { isEventHeader, KAFKA_PREFIX } from '../../core/cloudevents.ts';
import { RelayError } from '../../core/errors.ts';
import type { Header } from '../../core/message.ts';
import type { OutboxRow } from '../../core/row.ts';
import type { OutboxTable } from '../../core/table.ts';
import type { Contents, Encoder, MessageEncoder } from '../encoder.ts';
import { type AttributeValue, compileAttributes, type EventSource } from './attributes.ts';
import { compileData, type DataWriter } from './data.ts';
import type { CloudEventsSpec } from './spec.ts';

/** The media type of a structured event; in lower case, which the SDK for JavaScript compares with over HTTP. */
const STRUCTURED = 'application/cloudevents+json; charset=utf-8';
/** Where a Kafka record says what its value is; AMQP has a property for that. */
const CONTENT_TYPE = 'content-type';

interface CompiledAttribute {
  readonly header: string;
  /** `,"name":` */
  readonly member: string;
  readonly read: (source: EventSource) => AttributeValue | null;
}

/** What an event encoder stands on. */
export interface EventRoute {
  /** Of the same route, without CloudEvents. */
  readonly plain: Encoder;
  readonly table: OutboxTable;
  readonly address: 'topic' | 'exchange';
}

/**
 * Makes CloudEvents 1.0 of rows, by the protocol binding for Kafka, and for an exchange by that for AMQP 1.0, to which
 * RabbitMQ maps the headers and properties of AMQP 0-9-1 (docs/cloudevents.md).
 */
export class CloudEventEncoder implements MessageEncoder {
  readonly #plain: Encoder;
  readonly #address: EventRoute['address'];
  readonly #attributes: readonly CompiledAttribute[];
  readonly #structured: boolean;
  readonly #tombstones: boolean;
  readonly #data: DataWriter;
  /** `,"datacontenttype":"..."` */
  readonly #dataContentType: string;

  /**
   * @param where the option, for messages, e.g. `routes[2].cloudEvents`
   * @throws RelayError `config_invalid` for a template that is malformed or names a column that is not read
   */
  constructor(spec: CloudEventsSpec, { plain, table, address }: EventRoute, where: string) {
    this.#plain = plain;
    this.#address = address;
    const prefix = address === 'topic' ? KAFKA_PREFIX : spec.prefix;
    this.#attributes = compileAttributes(spec, table, where).map(({ name, read }) => ({
      header: prefix + name,
      member: `,${JSON.stringify(name)}:`,
      read,
    }));
    this.#structured = spec.mode === 'structured';
    this.#tombstones = spec.nullPayload === 'tombstone';
    this.#data = compileData(plain.payloadType, plain.contentType, where);
    this.#dataContentType = `,"datacontenttype":${JSON.stringify(plain.contentType)}`;
  }

  /** @throws RelayError `route_headers`, `route_template`, `route_cloudevent` */
  encode(row: OutboxRow): Contents {
    const headers = this.#plain.headersOf(row);
    const source = { row, headers, carried: this.#plain.carriedBy(row, headers) };
    const values = this.#attributes.map(({ read }) => read(source));
    const payload = this.#plain.payloadOf(row);
    const structured = this.#structured && (payload !== null || !this.#tombstones);
    const envelope = structured ? this.#envelope(values, payload) : null;
    // The message's span begins with it: nothing is to fail behind this.
    const contents = this.#plain.contents(row, this.#withoutEventHeaders(headers));
    const contentType = structured ? STRUCTURED : contents.contentType;
    return {
      ...contents,
      body: envelope ?? payload,
      ...(envelope !== null && { copied: envelope.length }),
      contentType,
      headers: [
        ...contents.headers,
        ...(structured ? [] : this.#headers(values)),
        ...(this.#address === 'topic' ? [[CONTENT_TYPE, contentType] as const] : []),
      ],
    };
  }

  /** What can be said of a row that cannot become an event: the message that it would be without CloudEvents. */
  encodeWhatCan(row: OutboxRow): Contents {
    try {
      return this.encode(row);
    } catch (error) {
      if (!(error instanceof RelayError)) throw error;
      return this.#plain.encodeWhatCan(row);
    }
  }

  #headers(values: readonly (AttributeValue | null)[]): readonly Header[] {
    return this.#attributes.flatMap(({ header }, at): Header[] => {
      const value = values[at] ?? null;
      return value === null ? [] : [[header, String(value)]];
    });
  }

  #envelope(values: readonly (AttributeValue | null)[], payload: Buffer | null): Buffer {
    let members = '';
    for (const [at, { member }] of this.#attributes.entries()) {
      const value = values[at] ?? null;
      if (value !== null) members += member + JSON.stringify(value);
    }
    const data = payload === null ? [] : [this.#dataContentType, ...this.#data(payload)];
    const parts = [`{${members.slice(1)}`, ...data, '}'];
    return Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
  }

  /** The row's headers are not to pass for attributes. */
  #withoutEventHeaders(headers: readonly Header[]): readonly Header[] {
    const isEvent = ([name]: Header): boolean => isEventHeader(this.#address, name);
    return headers.some(isEvent) ? headers.filter((header) => !isEvent(header)) : headers;
  }
}
