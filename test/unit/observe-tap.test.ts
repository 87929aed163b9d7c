import { describe, expect, it } from 'vitest';
import type { OutgoingMessage } from '../../src/core/message.ts';
import { Tap, type TapBatch, type TapOptions, type TapSample } from '../../src/observe/tap.ts';

const NOW = Date.UTC(2026, 0, 1);

function message(fields: Partial<OutgoingMessage> = {}, since = NOW - 1500): OutgoingMessage {
  return {
    row: { position: 7n, id: 'id-7', values: [], lane: 'stream', xid: 1, since },
    address: { kind: 'topic', topic: 'orders' },
    key: 'k',
    type: 'created',
    body: Buffer.from('{"a":1}'),
    contentType: 'application/json',
    headers: [],
    route: 0,
    bytes: 100,
    ...fields,
  };
}

function batch(messages: readonly OutgoingMessage[], at = NOW, destination = 'kafka'): TapBatch {
  return { destination, messages, at, databaseNow: at };
}

function listen(tap: Tap, options: Partial<TapOptions> = {}, accept = true) {
  const told: TapSample[] = [];
  const stop = tap.listen({ rate: 100, payload: false, ...options }, (sample) => accept && told.push(sample) > 0);
  return { told, stop };
}

describe('the tap', () => {
  it('is open while somebody listens', () => {
    const tap = new Tap();
    expect(tap.open).toBe(false);
    const [first, second] = [listen(tap), listen(tap)];
    first.stop();
    expect(tap.open).toBe(true);
    second.stop();
    second.stop();
    expect([tap.open, tap.full]).toEqual([false, false]);
  });

  it('tells who, where and how large, and nothing that the message holds', () => {
    const tap = new Tap();
    const { told } = listen(tap);
    tap.delivered(batch([message(), message({ body: null, key: null, type: null }, Number.NaN)]));
    tap.delivered(batch([message({ address: { kind: 'exchange', exchange: 'x', routingKey: 'r' } })], NOW, 'rabbit'));
    expect(told[0]).toEqual({
      at: '2026-01-01T00:00:00.000Z',
      destination: 'kafka',
      address: 'orders',
      key: 'k',
      type: 'created',
      id: 'id-7',
      position: '7',
      lane: 'stream',
      bytes: 7,
      delaySeconds: 1.5,
      skipped: 0,
    });
    expect(told[1]).toMatchObject({ key: null, type: null, bytes: null, delaySeconds: null });
    expect(told[2]).toMatchObject({ destination: 'rabbit', address: 'x/r' });
  });

  it('tells payloads where they are asked for: text as text, the rest in base64, and not without end', () => {
    const tap = new Tap();
    const { told } = listen(tap, { payload: true });
    const bodies = [Buffer.from('Größe'), Buffer.from([0xff, 0]), null, Buffer.alloc(9000, 'x')];
    tap.delivered(batch(bodies.map((body) => message({ body }))));
    expect(told.slice(0, 3)).toMatchObject([
      { payload: 'Größe', payloadEncoding: 'utf8' },
      { payload: '/wA=', payloadEncoding: 'base64' },
      { payload: null },
    ]);
    expect([told[3]?.payload?.length, told[3]?.bytes]).toEqual([4096, 9000]);
  });

  it('tells what fits all conditions', () => {
    const tap = new Tap();
    const all = { destination: 'kafka', type: 'created', key: 'k' };
    const { told } = listen(tap, all);
    tap.delivered(batch([message(), message({ type: 'x' }), message({ key: 'x' }), message({ key: null })]));
    tap.delivered(batch([message()], NOW, 'rabbit'));
    expect(told).toHaveLength(1);
    expect(told[0]?.skipped).toBe(0);
  });

  it('tells no more than its rate, and how many were left out', () => {
    const tap = new Tap();
    const { told } = listen(tap, { rate: 2 });
    tap.delivered(batch(Array.from({ length: 10 }, () => message())));
    expect(told).toHaveLength(2);
    tap.delivered(batch([message(), message()], NOW + 500));
    expect(told.map(({ skipped }) => skipped)).toEqual([0, 0, 8]);
    // what is not used does not add up
    tap.delivered(
      batch(
        Array.from({ length: 10 }, () => message()),
        NOW + 3_600_000,
      ),
    );
    expect(told).toHaveLength(5);
  });

  it('counts what a slow reader loses', () => {
    const tap = new Tap();
    const told: TapSample[] = [];
    let behind = true;
    tap.listen({ rate: 100, payload: false }, (sample) => !behind && told.push(sample) > 0);
    tap.delivered(batch([message(), message()]));
    behind = false;
    tap.delivered(batch([message()]));
    expect(told.map(({ skipped }) => skipped)).toEqual([2]);
  });
});
