import type { OutgoingMessage } from '../../core/message.ts';
import { Deque } from './deque.ts';
import { type Entry, Lane } from './lane.ts';

export interface WindowOptions {
  /** Messages in flight at a time, of all keys together. */
  readonly messages: number;
  /** Bytes in flight at a time; one message alone may be larger. */
  readonly bytes: number;
  /** Messages in flight at a time of one key: 1 keeps their order whatever the broker refuses. */
  readonly perKey: number;
}

/**
 * Decides what is sent next: in order within a key, in turn between keys, within the bounds. Pure bookkeeping: each
 * entry that {@link take} gave out comes back by exactly one of {@link stored}, {@link retry}, {@link refuse} and
 * {@link restore}.
 */
export class Window {
  readonly #options: WindowOptions;
  readonly #lanes = new Map<string, Lane>();
  readonly #ready = new Deque<Lane>();
  #sequence = 0;
  #inFlight = 0;
  #bytes = 0;

  constructor(options: WindowOptions) {
    this.#options = options;
  }

  /** Messages given out and not come back. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Takes a message in. */
  enqueue(message: OutgoingMessage): void {
    const lane = this.#laneOf(message.key);
    lane.push({
      message,
      lane,
      sequence: this.#sequence++,
      attempts: 0,
      nacks: 0,
      epoch: 0,
      returnedSince: null,
      next: null,
    });
    this.#makeReady(lane);
  }

  /**
   * Gives out the next message to send, or null when nothing may be sent now.
   *
   * @param atMost a tighter bound on the messages in flight
   */
  take(atMost = Infinity): Entry | null {
    if (this.#inFlight >= Math.min(atMost, this.#options.messages)) return null;
    for (let lane = this.#ready.peek(); lane !== undefined; lane = this.#ready.peek()) {
      const entry = this.#mayTake(lane) ? lane.first : null;
      if (entry !== null && !this.#fits(entry)) return null;
      this.#ready.shift();
      lane.ready = false;
      if (entry === null) continue;
      lane.shift();
      lane.inFlight++;
      this.#inFlight++;
      this.#bytes += entry.message.bytes;
      this.#makeReady(lane);
      return entry;
    }
    return null;
  }

  /** The broker has it: the entry is gone, the key's next may be sent. */
  stored(entry: Entry): void {
    this.#land(entry);
    this.#makeReady(entry.lane);
    this.#forgetIfIdle(entry.lane);
  }

  /** The broker did not take it: it stays the first of its key, and the key waits for {@link resume}. */
  retry(entry: Entry): void {
    this.#land(entry);
    entry.lane.putBack(entry);
    entry.lane.retrying++;
  }

  /** An entry given to {@link retry} may be sent again. */
  resume(entry: Entry): void {
    entry.lane.retrying--;
    this.#makeReady(entry.lane);
    this.#forgetIfIdle(entry.lane);
  }

  /** The broker will never take it: the entry is gone, its key waits for {@link release} or {@link discard}. */
  refuse(entry: Entry): void {
    this.#land(entry);
    if (entry.lane.key !== null) entry.lane.refused = true;
  }

  /** What was in flight is to be sent again, before all else, in the order given. */
  restore(entries: readonly Entry[]): void {
    for (const entry of entries.toReversed()) {
      this.#land(entry);
      entry.lane.putBack(entry);
      if (entry.lane.ready || !this.#mayTake(entry.lane)) continue;
      entry.lane.ready = true;
      this.#ready.unshift(entry.lane);
    }
  }

  /** Goes on with a key after a refusal. */
  release(key: string | null): void {
    const lane = key === null ? undefined : this.#lanes.get(key);
    if (lane === undefined) return;
    lane.refused = false;
    this.#makeReady(lane);
    this.#forgetIfIdle(lane);
  }

  /** Forgets and returns what waits of a key; what comes later is sent. */
  discard(key: string | null): Entry[] {
    const lane = key === null ? undefined : this.#lanes.get(key);
    if (lane === undefined) return [];
    const entries = lane.drain();
    lane.refused = false;
    this.#forgetIfIdle(lane);
    return entries;
  }

  #laneOf(key: string | null): Lane {
    const known = key === null ? undefined : this.#lanes.get(key);
    if (known !== undefined) return known;
    const lane = new Lane(key);
    if (key !== null) this.#lanes.set(key, lane);
    return lane;
  }

  #mayTake(lane: Lane): boolean {
    return !lane.refused && lane.retrying === 0 && lane.inFlight < this.#options.perKey && lane.first !== null;
  }

  #fits(entry: Entry): boolean {
    return this.#inFlight === 0 || this.#bytes + entry.message.bytes <= this.#options.bytes;
  }

  #makeReady(lane: Lane): void {
    if (lane.ready || !this.#mayTake(lane)) return;
    lane.ready = true;
    this.#ready.push(lane);
  }

  #land(entry: Entry): void {
    entry.lane.inFlight--;
    this.#inFlight--;
    this.#bytes -= entry.message.bytes;
  }

  #forgetIfIdle(lane: Lane): void {
    if (lane.key !== null && lane.idle) this.#lanes.delete(lane.key);
  }
}
