import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodePublish, publishBound } from '../../src/publish/rabbitmq/frames.ts';
import type { Publication } from '../../src/publish/rabbitmq/properties.ts';

interface Frame {
  readonly channel: number;
  readonly id?: number;
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly size?: number;
  readonly content?: Buffer;
}

/** amqplib's own reader of frames, which it does not export. */
const amqplib = (() => {
  const require = createRequire(import.meta.url);
  const frame = join(dirname(require.resolve('amqplib')), 'lib', 'frame.js');
  return require(frame) as {
    parseFrame(bytes: Buffer, max: number): { rest: Buffer } | false;
    decodeFrame(frame: object): Frame;
  };
})();

function decode(bytes: Buffer, frameMax: number): Frame[] {
  const frames: Frame[] = [];
  for (let rest = bytes; rest.length > 0;) {
    const frame = amqplib.parseFrame(rest, frameMax - 8);
    if (frame === false) throw new Error(`${rest.length} bytes are no whole frame`);
    frames.push(amqplib.decodeFrame(frame));
    rest = frame.rest;
  }
  return frames;
}

/** Where the frames stand in a larger buffer, and what is around them. */
const MARGIN = 50;

function encoded(channel: number, frameMax: number, publication: Publication): Buffer {
  const bound = publishBound(publication, frameMax);
  const target = Buffer.alloc(MARGIN + bound + MARGIN, 'x');
  const end = encodePublish(target, MARGIN, channel, frameMax, publication);
  expect(end - MARGIN).toBeLessThanOrEqual(bound);
  expect(target.toString('latin1', 0, MARGIN)).toBe('x'.repeat(MARGIN));
  expect(target.toString('latin1', end)).toBe('x'.repeat(target.length - end));
  return target.subarray(MARGIN, end);
}

const text = (maxBytes: number) =>
  fc
    .oneof(
      fc.string({ maxLength: maxBytes }),
      fc.string({ maxLength: maxBytes, unit: 'binary' }),
      // single UTF-16 units, surrogates without their other half among them
      fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 20 }).map((units) => String.fromCharCode(...units)),
    )
    .filter((value) => Buffer.byteLength(value) <= maxBytes);

const publications: fc.Arbitrary<Publication> = fc.record({
  exchange: text(255),
  routingKey: text(255),
  contentType: text(255),
  messageId: text(255),
  appId: text(255),
  type: fc.option(text(255)),
  timestamp: fc.option(fc.nat({ max: 2 ** 40 })),
  headers: fc
    .array(fc.tuple(text(255), fc.oneof(text(2000), fc.constant(true as const))), { maxLength: 8 })
    .map((pairs) => new Map(pairs)),
  body: fc.oneof(fc.nat(300), fc.nat(20_000)).map((length) => Buffer.from(Array.from({ length }, (_, at) => at % 251))),
});

/** As a reader of UTF-8 sees it: half a surrogate pair is replaced. */
const readable = (value: string) => Buffer.from(value).toString();

describe('basic.publish', () => {
  it('is read by amqplib as it was meant, in whole frames that the broker takes', () => {
    fc.assert(
      fc.property(
        publications,
        fc.integer({ min: 1, max: 65_535 }),
        fc.constantFrom(4096, 131_072),
        (given, channel, frameMax) => {
          const [method, header, ...bodies] = decode(encoded(channel, frameMax, given), frameMax);
          expect(method).toMatchObject({
            channel,
            id: (60 << 16) | 40,
            fields: {
              exchange: readable(given.exchange),
              routingKey: readable(given.routingKey),
              mandatory: true,
              immediate: false,
            },
          });
          expect(header).toMatchObject({ channel, id: 60, size: given.body.length });
          const { headers, ...properties } = header?.fields ?? {};
          expect(properties).toEqual({
            contentType: readable(given.contentType),
            contentEncoding: undefined,
            deliveryMode: 2,
            priority: undefined,
            correlationId: undefined,
            replyTo: undefined,
            expiration: undefined,
            messageId: readable(given.messageId),
            timestamp: given.timestamp ?? undefined,
            type: given.type === null ? undefined : readable(given.type),
            userId: undefined,
            appId: readable(given.appId),
            clusterId: undefined,
          });
          const names = [...given.headers].map(
            ([name, value]) => [readable(name), value === true ? true : readable(value)] as const,
          );
          for (const [name, value] of new Map(names)) {
            if (name !== '__proto__') expect(Object.entries(headers as object)).toContainEqual([name, value]);
          }
          expect(bodies.map((frame) => frame.channel)).toEqual(bodies.map(() => channel));
          expect(Buffer.concat(bodies.flatMap(({ content }) => content ?? [])).equals(given.body)).toBe(true);
          expect(bodies).toHaveLength(Math.ceil(given.body.length / (frameMax - 8)));
        },
      ),
    );
  });

  it('has 255 bytes in a short string, of whatever length in characters', () => {
    for (const name of ['a'.repeat(255), 'ä'.repeat(127) + 'a', '€'.repeat(85), '😀'.repeat(63) + 'abc']) {
      const given: Publication = {
        exchange: name,
        routingKey: name,
        contentType: name,
        messageId: name,
        appId: name,
        type: name,
        timestamp: 1,
        headers: new Map([[name, '']]),
        body: Buffer.alloc(0),
      };
      const [method, header] = decode(encoded(1, 4096, given), 4096);
      expect(method?.fields).toMatchObject({ exchange: name, routingKey: name });
      expect(header?.fields).toMatchObject({ messageId: name, type: name, appId: name, headers: { [name]: '' } });
    }
  });
});
