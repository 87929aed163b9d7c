import { Writable } from 'node:stream';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FrameWriter } from '../../src/publish/rabbitmq/frame-writer.ts';
import { encodePublish, publishBound } from '../../src/publish/rabbitmq/frames.ts';
import { toPublication, type Publication } from '../../src/publish/rabbitmq/properties.ts';
import { RelayError } from '../../src/core/errors.ts';
import { testMessage } from './rabbitmq-messages.ts';

const FRAME_MAX = 4096;

/** Takes bytes when the test lets it, and reads them only then, as a socket may. */
class SlowSocket extends Writable {
  readonly #waiting: (() => void)[] = [];
  readonly #read: Buffer[] = [];
  writes = 0;

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.writes++;
    this.#waiting.push(() => {
      this.#read.push(Buffer.from(chunk));
      done();
    });
  }

  /** Lets it take what was written. */
  async drain(): Promise<Buffer> {
    while (this.#waiting.length > 0 || this.writableLength > 0) {
      this.#waiting.shift()?.();
      await new Promise(setImmediate);
    }
    return Buffer.concat(this.#read);
  }
}

function publicationOf(n: number, bodyBytes: number): Publication {
  const message = testMessage(n, { body: Buffer.alloc(bodyBytes, n) });
  const publication = toPublication(message, 'app', { bodyBytes: null, headerBytes: 1000 });
  if (publication instanceof RelayError) throw publication;
  return publication;
}

function encoded(publication: Publication): Buffer {
  const target = Buffer.alloc(publishBound(publication, FRAME_MAX));
  return target.subarray(0, encodePublish(target, 0, 1, FRAME_MAX, publication));
}

it('writes every message whole and in order, whatever their sizes and however slow the socket is', async () => {
  const step = fc.oneof(
    { weight: 10, arbitrary: fc.oneof(fc.nat(500), fc.nat(20_000), fc.constant(70_000)) },
    { weight: 2, arbitrary: fc.constant('flush' as const) },
    { weight: 1, arbitrary: fc.constant('drain' as const) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const socket = new SlowSocket({ highWaterMark: 1000 });
      const writer = new FrameWriter(socket, FRAME_MAX);
      const expected: Buffer[] = [];
      for (const [n, each] of steps.entries()) {
        if (each === 'flush') writer.flush();
        else if (each === 'drain') await socket.drain();
        else {
          const publication = publicationOf(n, each);
          expected.push(encoded(publication));
          writer.publish(1, publication);
        }
      }
      writer.flush();
      expect((await socket.drain()).equals(Buffer.concat(expected))).toBe(true);
    }),
    { numRuns: 50 },
  );
});

it('writes many small messages at once, and only when told to', async () => {
  const socket = new SlowSocket();
  const writer = new FrameWriter(socket, FRAME_MAX);
  for (let n = 0; n < 20; n++) writer.publish(1, publicationOf(n, 100));
  expect(socket.writes).toBe(0);
  writer.flush();
  writer.flush();
  await socket.drain();
  expect(socket.writes).toBe(1);
});
