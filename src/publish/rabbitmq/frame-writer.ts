import type { Writable } from 'node:stream';
import { encodePublish, publishBound } from './frames.ts';
import type { Publication } from './properties.ts';

/** What goes to the socket at once, in bytes; larger messages go alone. */
const CHUNK_BYTES = 64 * 1024;
/** Chunks kept for reuse; a socket that takes nothing for a while has more of them waiting. */
const SPARE_CHUNKS = 8;

/**
 * Gathers messages in chunks, and writes each chunk to the socket in one call. It shares the socket with amqplib: the
 * writes of both are whole frames, and those here whole messages, between whose frames none of the same channel may
 * stand.
 */
export class FrameWriter {
  readonly #socket: Writable;
  readonly #frameMax: number;
  readonly #spare: Buffer[] = [];
  #chunk = newChunk();
  #used = 0;

  constructor(socket: Writable, frameMax: number) {
    this.#socket = socket;
    this.#frameMax = frameMax;
  }

  /** Adds a message. It is not written before {@link flush}, unless a chunk is full. */
  publish(channel: number, publication: Publication): void {
    const bound = publishBound(publication, this.#frameMax);
    if (this.#used + bound > CHUNK_BYTES) this.flush();
    if (bound > CHUNK_BYTES) {
      const own = Buffer.allocUnsafe(bound);
      this.#socket.write(own.subarray(0, encodePublish(own, 0, channel, this.#frameMax, publication)));
    } else {
      this.#used = encodePublish(this.#chunk, this.#used, channel, this.#frameMax, publication);
    }
  }

  /** Writes what was gathered. */
  flush(): void {
    if (this.#used === 0) return;
    const chunk = this.#chunk;
    // the socket may read it until it says that it is done
    this.#socket.write(chunk.subarray(0, this.#used), () => {
      if (this.#spare.length < SPARE_CHUNKS) this.#spare.push(chunk);
    });
    this.#chunk = this.#spare.pop() ?? newChunk();
    this.#used = 0;
  }
}

function newChunk(): Buffer {
  return Buffer.allocUnsafeSlow(CHUNK_BYTES);
}
