/** As large as the pool that Node cuts small buffers from: what is cut from one slab keeps all of it in memory. */
const SLAB_BYTES = 8 * 1024;

/**
 * Keeps bytes that their owner is about to overwrite. Many chunks share one allocation, and whoever needs a part of a
 * chunk takes a view of it: one object instead of the several that a copy of each part would make.
 */
export class Slab {
  #bytes = Buffer.alloc(0);
  #used = 0;

  /** Where the chunk that was appended last is. Bytes written once are never overwritten. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  /** Copies a chunk; returns where it begins in {@link bytes}. */
  append(chunk: Buffer): number {
    if (chunk.length > this.#bytes.length - this.#used) {
      // a large chunk has an allocation of its own, so that small ones do not keep it alive
      const size = chunk.length > SLAB_BYTES / 2 ? chunk.length : SLAB_BYTES;
      this.#bytes = Buffer.allocUnsafeSlow(size);
      this.#used = 0;
    }
    const at = this.#used;
    this.#bytes.set(chunk, at);
    this.#used += chunk.length;
    return at;
  }
}
