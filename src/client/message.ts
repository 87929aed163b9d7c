/** Event types with what their payloads are: `{ 'order.created': { total: number } }`. */
export type UntypedEvents = Record<string, unknown>;

/** A header's value: numbers and booleans become text, null leaves the header out. */
export type HeaderValue = string | number | boolean | null;

/** An event, as an application publishes it. */
export interface OutboxMessage<Type extends string = string, Payload = unknown> {
  /** The dedup key by which consumers know a message that they have had. @default a UUID of version 7 */
  readonly id?: string;
  /** What kind of thing the event is about, e.g. `order`: the default routes of the relay make the topic of it. */
  readonly aggregateType: string;
  /** Which one: the key of the message. Order is kept between messages of one aggregateId. */
  readonly aggregateId: string;
  /** What has happened, e.g. `order.created`. */
  readonly type: Type;
  /**
   * The body: with a column of json or jsonb what `JSON.stringify` takes, with text a string, with bytea a `Uint8Array`;
   * null is a tombstone.
   */
  readonly payload: Payload | null;
  /** Further headers; `id` and `type` are not among them, since the relay sends these itself. */
  readonly headers?: Readonly<Record<string, HeaderValue>>;
  /** Values of the further columns that `columns.extra` names, as JSON that Postgres can turn into their types. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** Any of the messages that an event map allows. */
export type MessageOf<Events extends object> = {
  [Type in keyof Events & string]: OutboxMessage<Type, Events[Type]>;
}[keyof Events & string];
