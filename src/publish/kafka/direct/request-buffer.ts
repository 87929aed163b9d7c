/** Smaller than this it never is. */
const SMALLEST = 64 * 1024;

/** After so many requests in a row that needed less than a quarter of it, the buffer becomes smaller. */
const SHRINK_AFTER = 256;

/**
 * A buffer that request after request is written into. Its owner takes it for one request at a time, and tells when
 * the request's bytes may still be on their way: a socket keeps the buffer, not a copy of it, until all of it is sent.
 */
export class RequestBuffer {
  #buffer: Buffer | null = null;
  #small = 0;
  #largestSmall = 0;

  /** A buffer of at least so many bytes, whose contents nobody needs any more. */
  take(bytes: number): Buffer {
    const buffer = this.#buffer;
    if (buffer === null || buffer.length < bytes) return this.#replace(bytes);
    if (buffer.length === SMALLEST || bytes * 4 >= buffer.length) {
      this.#small = this.#largestSmall = 0;
      return buffer;
    }
    this.#largestSmall = Math.max(this.#largestSmall, bytes);
    return ++this.#small < SHRINK_AFTER ? buffer : this.#replace(this.#largestSmall);
  }

  /** The bytes may still be sent: the buffer is left to whoever sends them, and the next one is another. */
  abandon(): void {
    this.#buffer = null;
  }

  /** Of a power of two, so that slowly growing requests do not need a new buffer each. */
  #replace(bytes: number): Buffer {
    this.#small = this.#largestSmall = 0;
    this.#buffer = Buffer.allocUnsafeSlow(Math.max(SMALLEST, 2 ** Math.ceil(Math.log2(bytes))));
    return this.#buffer;
  }
}
