import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { RelayError } from '../../src/core/errors.ts';
import type { OutgoingMessage } from '../../src/core/message.ts';
import type { PublisherListener } from '../../src/core/publisher.ts';
import { messageLine } from '../../src/publish/console/line.ts';
import { ConsolePublisher } from '../../src/publish/console/publisher.ts';

function message(id: string, fields: Partial<OutgoingMessage> = {}): OutgoingMessage {
  return {
    row: { position: 1n, id, values: [], lane: 'table', xid: null, since: NaN },
    address: { kind: 'topic', topic: 't' },
    key: 'k',
    body: Buffer.from('{"a": 9007199254740993,\n "b": 1.0}'),
    type: 'Created',
    contentType: 'application/json',
    headers: [['h', 'v']],
    route: 0,
    bytes: 100,
    ...fields,
  };
}

/** A stream whose writes end when the test says so. */
class SlowStream extends Writable {
  readonly writes: { readonly text: string; readonly end: (error?: Error) => void }[] = [];
  #arrived: (() => void)[] = [];

  constructor() {
    super({ highWaterMark: 1, decodeStrings: false });
  }

  override _write(chunk: unknown, _encoding: string, callback: (error?: Error | null) => void): void {
    this.writes.push({ text: String(chunk), end: callback });
    for (const resolve of this.#arrived.splice(0)) resolve();
  }

  /** Resolves when there have been so many writes. */
  async written(count: number): Promise<void> {
    while (this.writes.length < count) await new Promise<void>((resolve) => this.#arrived.push(resolve));
  }
}

class Listener implements PublisherListener {
  readonly ids: string[] = [];
  readonly failures: RelayError[] = [];
  #heard: (() => void)[] = [];

  mayPublish = true;

  maySend(): boolean {
    return this.mayPublish;
  }
  acknowledged(messages: readonly OutgoingMessage[]): void {
    this.ids.push(...messages.map(({ row }) => row.id));
    this.#wake();
  }
  refused(): void {
    throw new Error('a stream refuses nothing');
  }
  retrying(): void {
    throw new Error('a stream retries nothing');
  }
  failed(error: RelayError): void {
    this.failures.push(error);
    this.#wake();
  }
  /** Resolves at the next event. */
  heard(): Promise<void> {
    return new Promise((resolve) => this.#heard.push(resolve));
  }
  #wake(): void {
    for (const resolve of this.#heard.splice(0)) resolve();
  }
}

describe('a line', () => {
  it('is JSON, with the body as it is', () => {
    const line = messageLine(message('1'));
    expect(line).toBe(
      '{"topic":"t","key":"k","id":"1","type":"Created","headers":{"h":"v"},"body":{"a": 9007199254740993,  "b": 1.0}}\n',
    );
    expect(JSON.parse(line)).toMatchObject({ id: '1' });
  });

  it.each([
    [{ body: null }, null],
    [{ body: Buffer.from('a\n"b"'), contentType: 'text/plain; charset=utf-8' }, 'a\n"b"'],
    [{ body: Buffer.from([0, 255]), contentType: 'application/octet-stream' }, { base64: 'AP8=' }],
  ])('shows other bodies readably: %#', (fields, body) => {
    const parsed = JSON.parse(messageLine(message('1', fields))) as Record<string, unknown>;
    expect(parsed.body).toEqual(body);
  });

  it('shows exchange and routing key', () => {
    const address = { kind: 'exchange', exchange: 'e', routingKey: 'r' } as const;
    expect(JSON.parse(messageLine(message('1', { address })))).toMatchObject({ exchange: 'e', routingKey: 'r' });
  });
});

describe('a session', () => {
  it('acknowledges when the stream has taken the lines, in order, one write at a time', async () => {
    const stream = new SlowStream();
    const listener = new Listener();
    const session = await new ConsolePublisher(stream).open(listener);
    const messages = Array.from({ length: 1200 }, (_, n) => message(String(n)));
    session.enqueue(messages.slice(0, 700));
    expect(stream.writes).toHaveLength(0);
    await stream.written(1);
    session.enqueue(messages.slice(700));
    expect(stream.writes).toHaveLength(1);
    expect(listener.ids).toEqual([]);
    for (let n = 0; n < 3; n++) {
      await stream.written(n + 1);
      const heard = listener.heard();
      stream.writes[n]?.end();
      await heard;
    }
    expect(listener.ids).toEqual(messages.map(({ row }) => row.id));
    expect(stream.writes.map(({ text }) => text).join('')).toBe(messages.map(messageLine).join(''));
  });

  it('fails once when the stream breaks, and takes nothing after it', async () => {
    const stream = new SlowStream();
    const listener = new Listener();
    const publisher = new ConsolePublisher(stream);
    const session = await publisher.open(listener);
    session.enqueue([message('1')]);
    await stream.written(1);
    const heard = listener.heard();
    stream.writes[0]?.end(new Error('EPIPE'));
    await heard;
    session.enqueue([message('2')]);
    expect(listener.failures.map(({ code }) => code)).toEqual(['broker_unreachable']);
    expect(listener.ids).toEqual([]);
    await expect(publisher.open(listener)).rejects.toMatchObject({ code: 'broker_unreachable' });
    expect(await publisher.check()).toMatchObject([{ status: 'error' }]);
  });

  it('closes in time although the stream takes nothing, and is silent from then on', async () => {
    const stream = new SlowStream();
    const listener = new Listener();
    const session = await new ConsolePublisher(stream).open(listener);
    session.enqueue([message('1')]);
    await stream.written(1);
    const single = session.publishOne(message('2'));
    await Promise.all([session.close(1), expect(single).rejects.toMatchObject({ code: 'broker_unreachable' })]);
    stream.writes[0]?.end();
    await stream.written(2);
    stream.writes[1]?.end();
    await session.close(1);
    await expect(session.publishOne(message('3'))).rejects.toMatchObject({ code: 'broker_unreachable' });
    expect(listener.ids).toEqual([]);
    expect(listener.failures).toEqual([]);
  });

  it('publishes a single message and says when', async () => {
    const stream = new SlowStream();
    const session = await new ConsolePublisher(stream).open(new Listener());
    const single = session.publishOne(message('1'));
    await stream.written(1);
    stream.writes[0]?.end();
    await expect(single).resolves.toBeUndefined();
  });
});
