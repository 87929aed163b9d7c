import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { RelayError } from '../../src/core/errors.ts';
import type { Address, Header, OutgoingMessage } from '../../src/core/message.ts';
import type { Publisher, PublisherSession } from '../../src/core/publisher.ts';
import { until } from '../support/services/until.ts';
import { PublisherRecorder } from './publisher-recorder.ts';

/** A message as it came to lie in the broker. */
export interface StoredMessage {
  readonly id: string;
  readonly key: string | null;
  /** Null: a tombstone. */
  readonly body: Buffer | null;
  readonly type: string | null;
  /** Without id and type, and without what the broker or the driver adds by itself. */
  readonly headers: readonly Header[];
}

/** A place in the broker that belongs to one test: a topic, or a queue. */
export interface PublisherTarget {
  readonly address: Address;
  /** What makes a message one that the broker refuses for good. */
  readonly poison: Partial<OutgoingMessage>;
  /** Everything stored there since the target was made, repetitions too, in the broker's order per key. */
  readBack(): Promise<readonly StoredMessage[]>;
}

/** What the suite needs of a kind of broker and its driver. The broker must belong to the tests alone. */
export interface PublisherHarness {
  publisher(): Publisher;
  newTarget(): Promise<PublisherTarget>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Starts the killed broker again, with its data; resolves when it serves. */
  restart(): Promise<void>;
  /** SIGSTOP. */
  pause(): Promise<void>;
  /** SIGCONT. */
  resume(): Promise<void>;
}

let positions = 0n;

/** An outgoing message with whatever the test does not care about filled in. */
export function outgoing(
  target: { readonly address: Address },
  fields: Partial<OutgoingMessage> = {},
): OutgoingMessage {
  const body = fields.body === undefined ? Buffer.from('{"n": 1}') : fields.body;
  return {
    row: { position: ++positions, id: randomUUID(), values: [], lane: 'table', xid: null, since: NaN },
    address: target.address,
    key: 'key',
    type: 'Created',
    contentType: 'application/json',
    headers: [],
    route: 0,
    bytes: (body?.length ?? 0) + 200,
    ...fields,
    body,
  };
}

/** Ids by key, each in the order of its first occurrence. */
export function firstOccurrences(stored: readonly { id: string; key: string | null }[]): Map<string | null, string[]> {
  const seen = new Set<string>();
  const keys = new Map<string | null, string[]>();
  for (const { id, key } of stored) {
    if (seen.has(id)) continue;
    seen.add(id);
    keys.set(key, [...(keys.get(key) ?? []), id]);
  }
  return keys;
}

/** What {@link firstOccurrences} has to be when these messages were published. */
export function expectedOrder(messages: readonly OutgoingMessage[]): Map<string | null, string[]> {
  return firstOccurrences(messages.map(({ row, key }) => ({ id: row.id, key })));
}

const idOf = ({ row }: OutgoingMessage): string => row.id;
const ids = (messages: readonly OutgoingMessage[]): readonly string[] => messages.map(idOf);

/** Runs a test with a session that is closed afterwards. */
async function withSession(
  harness: PublisherHarness,
  body: (session: PublisherSession, recorder: PublisherRecorder, target: PublisherTarget) => Promise<void>,
): Promise<void> {
  const target = await harness.newTarget();
  const recorder = new PublisherRecorder();
  const session = await harness.publisher().open(recorder, AbortSignal.timeout(30_000));
  try {
    await body(session, recorder, target);
  } finally {
    await session.close(1_000);
  }
}

/**
 * What every {@link PublisherSession} promises, tried on a real broker. Call it inside a `describe`.
 *
 * @param harness of a broker that has been started by the time that the tests run
 */
export function publisherSuite(harness: PublisherHarness): void {
  describe('what is stored', () => contentTests(harness));
  describe('refused messages', () => refusalTests(harness));
  describe('single messages', () => singleTests(harness));
  describe('an instance that may not publish any more', () => fenceTests(harness));
  describe('a broker in trouble', () => faultTests(harness));
}

function contentTests(harness: PublisherHarness): void {
  test('everything once, in order per key, and acknowledged once', () =>
    withSession(harness, async (session, recorder, target) => {
      const messages = Array.from({ length: 2_000 }, (_, n) => outgoing(target, { key: `key-${n % 37}` }));
      for (let at = 0; at < messages.length; at += 250) session.enqueue(messages.slice(at, at + 250));
      await recorder.ackedCount(messages.length);
      expect([...recorder.ackedIds].sort()).toEqual([...ids(messages)].sort());
      const stored = await target.readBack();
      expect(stored).toHaveLength(messages.length);
      expect(firstOccurrences(stored)).toEqual(expectedOrder(messages));
    }));

  test('the id, the type, and headers of any characters', () =>
    withSession(harness, async (session, recorder, target) => {
      const headers: Header[] = [
        ['trace', 'a=b;c="d"'],
        ['größe', 'Ünïcödé ☃'],
        ['empty', ''],
      ];
      const messages = [outgoing(target, { headers, type: 'Größe.geändert' }), outgoing(target, { type: null })];
      session.enqueue(messages);
      await recorder.ackedCount(2);
      const [first, second] = await target.readBack();
      expect(first).toMatchObject({ id: idOf(messages[0]!), type: 'Größe.geändert', key: 'key' });
      expect([...first!.headers].sort()).toEqual([...headers].sort());
      expect(second).toMatchObject({ id: idOf(messages[1]!), type: null, headers: [] });
    }));

  test('tombstones apart from empty bodies, binary and large ones byte by byte', () =>
    withSession(harness, async (session, recorder, target) => {
      const bodies = [
        null,
        Buffer.alloc(0),
        Buffer.from(Uint8Array.from({ length: 256 }, (_, byte) => byte)),
        Buffer.alloc(700_000, 'all work and no play '),
      ];
      session.enqueue(bodies.map((body) => outgoing(target, { body })));
      await recorder.ackedCount(bodies.length);
      const stored = await target.readBack();
      expect(stored.map(({ body }) => body?.toString('latin1') ?? null)).toEqual(
        bodies.map((body) => body?.toString('latin1') ?? null),
      );
    }));

  test('messages without a key', () =>
    withSession(harness, async (session, recorder, target) => {
      const messages = Array.from({ length: 50 }, () => outgoing(target, { key: null }));
      session.enqueue(messages);
      await recorder.ackedCount(messages.length);
      const stored = await target.readBack();
      expect(stored.map(({ id }) => id).sort()).toEqual([...ids(messages)].sort());
    }));
}

function refusalTests(harness: PublisherHarness): void {
  test('hold their own key only, until it is released', () =>
    withSession(harness, async (session, recorder, target) => {
      const [a1, a2, a3, b1, b2] = ['a', 'a', 'a', 'b', 'b'].map((key) => outgoing(target, { key })) as [
        OutgoingMessage,
        OutgoingMessage,
        OutgoingMessage,
        OutgoingMessage,
        OutgoingMessage,
      ];
      const poison = outgoing(target, { key: 'a', ...target.poison });
      session.enqueue([a1, poison, a2, b1]);
      await recorder.heard(() => recorder.refusals.length > 0, 'the refusal');
      session.enqueue([a3, b2]);
      await recorder.ackedCount(3);
      expect(recorder.refusals.map(({ message }) => idOf(message))).toEqual([idOf(poison)]);
      expect(recorder.refusals[0]?.fault.class).toBe('row');
      expect([...recorder.ackedIds].sort()).toEqual(ids([a1, b1, b2]).toSorted());
      session.release('a');
      await recorder.ackedCount(5);
      const order = firstOccurrences(await target.readBack());
      expect(order).toEqual(expectedOrder([a1, a2, a3, b1, b2]));
    }));

  test('give back what is queued behind them when their key is discarded, even in mid-refusal', () =>
    withSession(harness, async (session, recorder, target) => {
      const poison = outgoing(target, { key: 'a', ...target.poison });
      const behind = Array.from({ length: 20 }, () => outgoing(target, { key: 'a' }));
      let discarded: readonly OutgoingMessage[] = [];
      recorder.onRefused = () => (discarded = session.discard('a'));
      session.enqueue([poison, ...behind, outgoing(target, { key: 'b' })]);
      await recorder.ackedCount(1);
      await recorder.heard(() => recorder.refusals.length > 0, 'the refusal');
      expect(ids(discarded)).toEqual(ids(behind));
      const later = outgoing(target, { key: 'a' });
      session.enqueue([later]);
      await recorder.ackedCount(2);
      expect(recorder.acked[1]).toBe(later);
      expect((await target.readBack()).map(({ id }) => id).toSorted()).toEqual([...recorder.ackedIds].sort());
    }));

  test('are each told, with all others stored, when there are many', () =>
    withSession(harness, async (session, recorder, target) => {
      const messages = Array.from({ length: 120 }, (_, n) =>
        outgoing(target, { key: `key-${n}`, ...(n % 40 === 7 ? target.poison : {}) }),
      );
      session.enqueue(messages);
      await recorder.ackedCount(117);
      await recorder.heard(() => recorder.refusals.length === 3, 'three refusals');
      expect(recorder.refusals.map(({ message }) => message.key).sort()).toEqual(['key-47', 'key-7', 'key-87']);
    }));

  test('without a key hold nothing', () =>
    withSession(harness, async (session, recorder, target) => {
      const others = Array.from({ length: 5 }, () => outgoing(target, { key: null }));
      session.enqueue([outgoing(target, { key: null, ...target.poison }), ...others]);
      await recorder.ackedCount(5);
      await recorder.heard(() => recorder.refusals.length === 1, 'the refusal');
      expect(session.discard(null)).toEqual([]);
    }));
}

function singleTests(harness: PublisherHarness): void {
  test('are published beside a held key, and not told to the listener', () =>
    withSession(harness, async (session, recorder, target) => {
      session.enqueue([outgoing(target, { key: 'a', ...target.poison })]);
      await recorder.heard(() => recorder.refusals.length === 1, 'the refusal');
      const single = outgoing(target, { key: 'a' });
      await Promise.all([session.publishOne(single), session.publishOne(single)]);
      const stored = await target.readBack();
      expect(stored.map(({ id }) => id)).toEqual([idOf(single), idOf(single)]);
      expect(recorder.acked).toEqual([]);
    }));

  test('reject when the broker refuses them', () =>
    withSession(harness, async (session, recorder, target) => {
      const refused = session.publishOne(outgoing(target, target.poison));
      await expect(refused).rejects.toMatchObject({ name: 'RelayError', class: 'row' });
      const next = outgoing(target);
      session.enqueue([next]);
      await recorder.ackedCount(1);
      await session.publishOne(outgoing(target));
      expect(recorder.refusals).toEqual([]);
    }));
}

function fenceTests(harness: PublisherHarness): void {
  test('sends nothing, and its session fails: neither in order nor as a single message', () =>
    withSession(harness, async (session, recorder, target) => {
      session.enqueue([outgoing(target)]);
      await recorder.ackedCount(1);
      recorder.mayPublish = false;
      const single = expect(session.publishOne(outgoing(target))).rejects.toBeInstanceOf(RelayError);
      session.enqueue([outgoing(target, { key: 'another' })]);
      await recorder.heard(() => recorder.failures.length > 0, 'the failure');
      expect(recorder.failures.map(({ code }) => code)).toEqual(['leadership_lost']);
      await single;
      expect(await target.readBack()).toHaveLength(1);
    }));
}

function faultTests(harness: PublisherHarness): void {
  test('killed and restarted in mid-stream: nothing is lost, first occurrences in order', async () => {
    const target = await harness.newTarget();
    const messages = Array.from({ length: 3_000 }, (_, n) => outgoing(target, { key: `key-${n % 23}` }));
    const acknowledged = new Set<OutgoingMessage>();
    let restarted: Promise<void> | undefined;
    while (acknowledged.size < messages.length) {
      const recorder = new PublisherRecorder();
      const session = await until(() => harness.publisher().open(recorder, AbortSignal.timeout(10_000)), {
        what: 'a session',
        timeoutMs: 45_000,
        everyMs: 100,
      });
      const waiting = messages.filter((message) => !acknowledged.has(message));
      let sent = 0;
      const top = (): void => {
        const room = 300 - (sent - recorder.acked.length);
        session.enqueue(waiting.slice(sent, sent + room));
        sent += Math.min(room, waiting.length - sent);
      };
      await recorder.heard(() => {
        top();
        if (recorder.acked.length > 600) restarted ??= harness.kill().then(() => harness.restart());
        return recorder.acked.length === waiting.length || recorder.failures.length > 0;
      }, 'the end of the session');
      for (const message of recorder.acked) acknowledged.add(message);
      await session.close(1_000);
      await restarted;
    }
    expect(restarted).toBeDefined();
    expect(firstOccurrences(await target.readBack())).toEqual(expectedOrder(messages));
  });

  test('stopped: closing keeps its deadline, and nothing is heard afterwards', () =>
    withSession(harness, async (session, recorder, target) => {
      session.enqueue([outgoing(target)]);
      await recorder.ackedCount(1);
      await harness.pause();
      try {
        session.enqueue([outgoing(target), outgoing(target)]);
        const single = session.publishOne(outgoing(target));
        const rejected = expect(single).rejects.toBeInstanceOf(RelayError);
        const before = performance.now();
        const calls = recorder.calls;
        await Promise.all([session.close(400), session.close(400)]);
        expect(performance.now() - before).toBeLessThan(2_000);
        await rejected;
        await expect(session.publishOne(outgoing(target))).rejects.toBeInstanceOf(RelayError);
        session.enqueue([outgoing(target)]);
        await harness.resume();
        // a round trip of another session: by now the broker has answered whatever it had got
        await roundTrip(harness, target);
        expect(recorder.calls).toBe(calls);
      } finally {
        await harness.resume();
      }
    }));

  test('gone for good: the session fails once, by an error that invites to try again, and takes nothing more', () =>
    withSession(harness, async (session, recorder, target) => {
      session.enqueue([outgoing(target)]);
      await recorder.ackedCount(1);
      await harness.kill();
      try {
        session.enqueue([outgoing(target)]);
        const single = expect(session.publishOne(outgoing(target))).rejects.toBeInstanceOf(RelayError);
        await recorder.heard(() => recorder.failures.length > 0, 'the failure');
        await single;
        expect(recorder.failures[0]?.retryable).toBe(true);
        session.enqueue([outgoing(target)]);
        await expect(session.publishOne(outgoing(target))).rejects.toBeInstanceOf(RelayError);
        const opening = harness.publisher().open(new PublisherRecorder(), AbortSignal.timeout(20_000));
        await expect(opening).rejects.toMatchObject({ name: 'RelayError', retryable: true });
        expect(recorder.failures).toHaveLength(1);
        expect(recorder.acked).toHaveLength(1);
      } finally {
        await harness.restart();
      }
    }));
}

async function roundTrip(harness: PublisherHarness, target: PublisherTarget): Promise<void> {
  const recorder = new PublisherRecorder();
  const session = await until(() => harness.publisher().open(recorder, AbortSignal.timeout(5_000)), {
    what: 'a session after the stop',
  });
  session.enqueue([outgoing(target)]);
  await recorder.ackedCount(1);
  await session.close(1_000);
}
