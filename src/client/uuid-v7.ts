import { randomFillSync } from 'node:crypto';

/** Gives ids, each greater than the one before. */
export type IdGenerator = () => string;

/** 12 bits in `rand_a`, 14 at the top of `rand_b`. */
const COUNTER_LIMIT = 2 ** 26;
const LOW_BITS = 2 ** 14;
/** The version in front of `rand_a`, the variant in front of `rand_b`. */
const VERSION_7 = 0x7000;
const VARIANT = 0x8000;

/** Of each id: those that may seed the counter, and 6 that are random in any case. */
const SEED_BYTES = 4;
const RANDOM_BYTES = SEED_BYTES + 6;
const POOLED_IDS = 256;

/** What orders the ids of one process: milliseconds since 1970, and a count within them. */
export interface Tick {
  readonly time: number;
  readonly counter: number;
}

/**
 * The next tick: monotonic by a counter as in RFC 9562, section 6.2, method 1. It has 26 bits, is seeded at random below half
 * of its range with each new millisecond, and counts up within one. A clock that steps back, or a counter that runs over, does
 * not take the order away: the time then runs ahead of the clock until that has caught up.
 *
 * @param seed 32 random bits
 */
export function nextTick(last: Tick, clock: number, seed: number): Tick {
  if (clock > last.time) return { time: clock, counter: seed % (COUNTER_LIMIT / 2) };
  if (last.counter + 1 < COUNTER_LIMIT) return { time: last.time, counter: last.counter + 1 };
  return { time: last.time + 1, counter: 0 };
}

/**
 * Makes a generator of UUIDs of version 7 (RFC 9562, section 5.7), whose order is that of {@link nextTick}.
 *
 * @param now milliseconds since 1970
 * @param fill fills a buffer with random bytes
 */
export function uuidV7Generator(
  now: () => number = Date.now,
  fill: (buffer: Buffer) => void = (buffer) => void randomFillSync(buffer),
): IdGenerator {
  const pool = Buffer.alloc(RANDOM_BYTES * POOLED_IDS);
  let used = pool.length;
  let tick: Tick = { time: -1, counter: 0 };
  return () => {
    if (used === pool.length) {
      fill(pool);
      used = 0;
    }
    tick = nextTick(tick, now(), pool.readUInt32BE(used));
    const random = pool.toString('hex', used + SEED_BYTES, used + RANDOM_BYTES);
    used += RANDOM_BYTES;
    return format(tick, random);
  };
}

/** A UUID of version 7 for this moment, greater than all that this process has been given by this function before. */
export function uuidv7(): string {
  generator ??= uuidV7Generator();
  return generator();
}

let generator: IdGenerator | undefined;

function format({ time, counter }: Tick, random: string): string {
  const millis = time.toString(16).padStart(12, '0');
  const high = (VERSION_7 + Math.floor(counter / LOW_BITS)).toString(16);
  const low = (VARIANT + (counter % LOW_BITS)).toString(16);
  return `${millis.slice(0, 8)}-${millis.slice(8)}-${high}-${low}-${random}`;
}
