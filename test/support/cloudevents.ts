/** The official SDK of CloudEvents as the judge of messages. */
import { CloudEvent, type CloudEventV1, HTTP, Kafka, type KafkaMessage } from 'cloudevents';

/** A record as a consumer hands it to the SDK. */
export interface ConsumedRecord {
  readonly key: string;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** Reads a record by the official SDK, and lets that validate it. @throws where the SDK does, e.g. for a tombstone */
export function readBySdk({ key, value, headers }: ConsumedRecord): CloudEvent<unknown> {
  const structured = headers['content-type']?.startsWith('application/cloudevents') === true;
  const data = structured ? value?.toString() : value;
  const message: KafkaMessage = { key, value: data, body: data, headers: { ...headers } };
  return validated(Kafka.toEvent(message));
}

/** Reads a structured event by the SDK, from wherever it came. */
export function readStructured(contentType: string, body: Buffer): CloudEvent<unknown> {
  return validated(HTTP.toEvent({ headers: { 'content-type': contentType }, body: body.toString() }));
}

function validated(event: CloudEventV1<unknown> | CloudEventV1<unknown>[]): CloudEvent<unknown> {
  if (Array.isArray(event)) throw new Error('a batch');
  // What is legal beyond the schema, names and types of extensions, is looked at by a strict constructor only.
  return new CloudEvent(event, true);
}

/** Reads a binary event from the headers of an AMQP message, as section 3.1.3 of the AMQP binding says. */
export function readAmqpHeaders(headers: Iterable<readonly [string, unknown]>, prefix: string): Map<string, unknown> {
  return new Map(
    [...headers].flatMap(([name, value]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), value]] : [])),
  );
}
