import { isUtf8 } from 'node:buffer';
import type { Address, OutgoingMessage } from '../core/message.ts';
import type { Lane } from '../core/row.ts';

/** What of the flow is wanted; all conditions given must hold. */
export interface TapFilter {
  readonly destination?: string;
  readonly type?: string;
  readonly key?: string;
}

/** How somebody listens. */
export interface TapOptions extends TapFilter {
  /** Samples a second at most. */
  readonly rate: number;
  /** Whether samples hold the message's body. */
  readonly payload: boolean;
}

/** One message that its broker has stored. */
export interface TapSample {
  /** ISO 8601. */
  readonly at: string;
  readonly destination: string;
  /** The topic; or exchange and routing key. */
  readonly address: string;
  readonly key: string | null;
  readonly type: string | null;
  readonly id: string;
  readonly position: string;
  readonly lane: Lane;
  /** Of the body; null is a tombstone. */
  readonly bytes: number | null;
  /** From commit or creation to the acknowledgement, as `end_to_end_seconds` has it; null where that is not known. */
  readonly delaySeconds: number | null;
  /** Messages that would have fit and were left out since the sample before. */
  readonly skipped: number;
  /** The body, cut off at 4 KiB. */
  readonly payload?: string | null;
  readonly payloadEncoding?: 'utf8' | 'base64';
}

interface Listener {
  readonly options: TapOptions;
  readonly tell: (sample: TapSample) => boolean;
  /** Samples that may be told at once, refilled by `rate` a second. */
  allowance: number;
  refilledAt: number;
  skipped: number;
}

/** What one destination has just published. */
export interface TapBatch {
  readonly destination: string;
  readonly messages: readonly OutgoingMessage[];
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The same by the database's clock. */
  readonly databaseNow: number;
}

/** So that the flow is compared with so many filters at most. */
const MAX_LISTENERS = 4;
const MAX_PAYLOAD_BYTES = 4096;

/** A feed of samples of what flows: lossy and bounded, and nothing but a look at {@link open} while nobody listens. */
export class Tap {
  readonly #listeners = new Set<Listener>();
  #open = false;

  /** Whether anybody listens. */
  get open(): boolean {
    return this.#open;
  }

  /** Whether so many listen that nobody else should. */
  get full(): boolean {
    return this.#listeners.size >= MAX_LISTENERS;
  }

  /**
   * Begins to listen.
   *
   * @param tell called synchronously; false: the sample was dropped
   * @returns the way to end it
   */
  listen(options: TapOptions, tell: Listener['tell']): () => void {
    const listener: Listener = { options, tell, allowance: options.rate, refilledAt: 0, skipped: 0 };
    this.#listeners.add(listener);
    this.#open = true;
    return () => {
      this.#listeners.delete(listener);
      this.#open = this.#listeners.size > 0;
    };
  }

  /** Takes what its broker has stored. */
  delivered(batch: TapBatch): void {
    for (const listener of this.#listeners) {
      const { options } = listener;
      if (options.destination !== undefined && options.destination !== batch.destination) continue;
      refill(listener, batch.at);
      for (const message of batch.messages) if (wants(options, message)) offer(listener, message, batch);
    }
  }
}

function refill(listener: Listener, at: number): void {
  const { rate } = listener.options;
  const seconds = Math.max(0, at - listener.refilledAt) / 1000;
  listener.allowance = Math.min(rate, listener.allowance + seconds * rate);
  listener.refilledAt = at;
}

function wants({ type, key }: TapFilter, message: OutgoingMessage): boolean {
  return (type === undefined || message.type === type) && (key === undefined || message.key === key);
}

function offer(listener: Listener, message: OutgoingMessage, batch: TapBatch): void {
  const told = listener.allowance >= 1 && listener.tell(sampleOf(message, batch, listener));
  if (told) {
    listener.allowance--;
    listener.skipped = 0;
  } else listener.skipped++;
}

function sampleOf(message: OutgoingMessage, { destination, at, databaseNow }: TapBatch, listener: Listener): TapSample {
  const { row, address, key, type, body } = message;
  return {
    at: new Date(at).toISOString(),
    destination,
    address: addressText(address),
    key,
    type,
    id: row.id,
    position: String(row.position),
    lane: row.lane,
    bytes: body?.length ?? null,
    delaySeconds: Number.isNaN(row.since) ? null : Math.max(0, databaseNow - row.since) / 1000,
    skipped: listener.skipped,
    ...(listener.options.payload ? payloadOf(body) : {}),
  };
}

function addressText(address: Address): string {
  return address.kind === 'topic' ? address.topic : `${address.exchange}/${address.routingKey}`;
}

function payloadOf(body: Buffer | null): Pick<TapSample, 'payload' | 'payloadEncoding'> {
  if (body === null) return { payload: null };
  const payloadEncoding = isUtf8(body) ? 'utf8' : 'base64';
  return { payload: body.subarray(0, MAX_PAYLOAD_BYTES).toString(payloadEncoding), payloadEncoding };
}
