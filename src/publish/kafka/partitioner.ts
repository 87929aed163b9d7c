import { partitionForKey } from './murmur2.ts';

/** Keys of up to so many units are hashed in a buffer that is there already; longer ones are rare. */
const SCRATCH_UNITS = 256;

/** Finds partitions without an object for each key. */
export class Partitioner {
  readonly #scratch = Buffer.allocUnsafe(3 * SCRATCH_UNITS);

  /** The partition that Java's default partitioner gives a key, as UTF-8, among `partitions`. */
  partition(key: string, partitions: number): number {
    if (key.length > SCRATCH_UNITS) return partitionForKey(Buffer.from(key), partitions);
    return partitionForKey(this.#scratch, partitions, this.#write(key));
  }

  /** Writes the key's bytes and returns how many they are. A short ASCII text is written without a call out of JavaScript. */
  #write(key: string): number {
    const scratch = this.#scratch;
    for (let at = 0; at < key.length; at++) {
      const unit = key.charCodeAt(at);
      if (unit > 0x7f) return scratch.write(key);
      scratch[at] = unit;
    }
    return key.length;
  }
}
