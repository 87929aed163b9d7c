const INITIAL_IDS = 1024;
const INITIAL_BYTES = INITIAL_IDS * 18;
/** Slots are doubled when more than this share of them is taken. */
const LOAD = 0.7;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const AS_UUID = 0;
const AS_TEXT = 1;

/**
 * Ids, each once, numbered from 0 in the order in which they came. Exact: the ids themselves are kept, a UUID in 17
 * bytes, another id in its UTF-8 bytes and one; with what finds them again about 40 bytes for each UUID.
 */
export class IdTable {
  /** Number of the id plus 1; 0 is free. */
  #slots = new Uint32Array(INITIAL_IDS * 2);
  #hashes = new Uint32Array(INITIAL_IDS);
  /** Where in the bytes the id with this number ends; it begins where the one before it ends. */
  #ends = new Float64Array(INITIAL_IDS);
  #bytes = Buffer.allocUnsafe(INITIAL_BYTES);
  #encoded = Buffer.allocUnsafe(256);
  #size = 0;

  /** How many different ids there are. */
  get size(): number {
    return this.#size;
  }

  /** The number of an id, or -1. */
  find(id: string): number {
    const length = this.#encode(id);
    const slot = this.#slotOf(hashOf(this.#encoded, length), length);
    return (this.#slots[slot] ?? 0) - 1;
  }

  /** The number of an id, which is new, `size - 1`, when the id is. */
  add(id: string): number {
    const length = this.#encode(id);
    const hash = hashOf(this.#encoded, length);
    const slot = this.#slotOf(hash, length);
    const known = this.#slots[slot] ?? 0;
    if (known > 0) return known - 1;
    const number = this.#size++;
    this.#store(number, hash, length);
    this.#slots[slot] = this.#size;
    if (this.#size > this.#slots.length * LOAD) this.#rehash();
    return number;
  }

  /** The id with a number. */
  textOf(number: number): string {
    const bytes = this.#bytes.subarray(this.#begin(number), this.#ends[number]);
    if (bytes[0] === AS_TEXT) return bytes.toString('utf8', 1);
    return bytes.toString('hex', 1).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  }

  #begin(number: number): number {
    return number === 0 ? 0 : (this.#ends[number - 1] ?? 0);
  }

  #encode(id: string): number {
    if (UUID.test(id)) {
      this.#encoded[0] = AS_UUID;
      return 1 + this.#encoded.write(id.replaceAll('-', ''), 1, 'hex');
    }
    const most = 1 + id.length * 3;
    if (most > this.#encoded.length) this.#encoded = Buffer.allocUnsafe(most);
    this.#encoded[0] = AS_TEXT;
    return 1 + this.#encoded.write(id, 1, 'utf8');
  }

  /** The slot that holds the encoded id, or else the free one where it belongs. */
  #slotOf(hash: number, length: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const number = (this.#slots[slot] ?? 0) - 1;
      if (number < 0) return slot;
      if (this.#hashes[number] !== hash) continue;
      const begin = this.#begin(number);
      if (this.#bytes.compare(this.#encoded, 0, length, begin, this.#ends[number]) === 0) return slot;
    }
  }

  #store(number: number, hash: number, length: number): void {
    if (number === this.#hashes.length) {
      this.#hashes = grown(this.#hashes, new Uint32Array(number * 2));
      this.#ends = grown(this.#ends, new Float64Array(number * 2));
    }
    const begin = this.#begin(number);
    if (begin + length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, begin + length));
      this.#bytes.copy(larger, 0, 0, begin);
      this.#bytes = larger;
    }
    this.#encoded.copy(this.#bytes, begin, 0, length);
    this.#hashes[number] = hash;
    this.#ends[number] = begin + length;
  }

  #rehash(): void {
    const slots = new Uint32Array(this.#slots.length * 2);
    const mask = slots.length - 1;
    for (let number = 0; number < this.#size; number++) {
      let slot = (this.#hashes[number] ?? 0) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = number + 1;
    }
    this.#slots = slots;
  }
}

/** Copies an array into a larger one. */
export function grown<Numbers extends { set(from: Numbers): void }>(from: Numbers, to: Numbers): Numbers {
  to.set(from);
  return to;
}

/** FNV-1a with a finish that spreads it over all bits. */
function hashOf(bytes: Buffer, length: number): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < length; at++) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
