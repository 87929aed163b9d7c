import { grown } from './id-table.ts';

const INITIAL_KEYS = 1024;
const LOAD = 0.7;

/** A 32-bit hash of a text; two seeds give the two halves by which a key is known. */
export function hashText(text: string, seed: number): number {
  let hash = Math.imul(seed, 0x9e3779b1) ^ 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x5bd1e995) ^ (hash >>> 15);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/**
 * The highest position that was met of each key. Keys are known by 64 bits of hash, in about 27 bytes each: among ten
 * million keys the odds that any two are taken for one are 1 to 400,000.
 */
export class HighestPositions {
  #slots = new Uint32Array(INITIAL_KEYS * 2);
  #high = new Uint32Array(INITIAL_KEYS);
  #low = new Uint32Array(INITIAL_KEYS);
  #positions = new BigInt64Array(INITIAL_KEYS);
  #size = 0;

  /** Notes a position of a key. Returns the highest one before it; null when this is the first. */
  raise(high: number, low: number, position: bigint): bigint | null {
    const slot = this.#slotOf(high, low);
    const known = (this.#slots[slot] ?? 0) - 1;
    if (known < 0) {
      this.#add(slot, high, low, position);
      return null;
    }
    const before = this.#positions[known] ?? position;
    if (position > before) this.#positions[known] = position;
    return before;
  }

  #slotOf(high: number, low: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = low & mask; ; slot = (slot + 1) & mask) {
      const key = (this.#slots[slot] ?? 0) - 1;
      if (key < 0 || (this.#low[key] === low && this.#high[key] === high)) return slot;
    }
  }

  #add(slot: number, high: number, low: number, position: bigint): void {
    const key = this.#size++;
    if (key === this.#low.length) {
      this.#high = grown(this.#high, new Uint32Array(key * 2));
      this.#low = grown(this.#low, new Uint32Array(key * 2));
      this.#positions = grown(this.#positions, new BigInt64Array(key * 2));
    }
    this.#high[key] = high;
    this.#low[key] = low;
    this.#positions[key] = position;
    this.#slots[slot] = this.#size;
    if (this.#size > this.#slots.length * LOAD) this.#rehash();
  }

  #rehash(): void {
    this.#slots = new Uint32Array(this.#slots.length * 2);
    for (let key = 0; key < this.#size; key++) {
      this.#slots[this.#slotOf(this.#high[key] ?? 0, this.#low[key] ?? 0)] = key + 1;
    }
  }
}
