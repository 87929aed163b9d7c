/** The direct driver, and a session over it, on a cluster in memory that does to requests what networks and brokers do. */
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import type { OutgoingMessage } from '../../src/core/message.ts';
import type { Batch } from '../../src/publish/kafka/batch.ts';
import { DirectDriver } from '../../src/publish/kafka/direct/direct-driver.ts';
import { troubleOf } from '../../src/publish/kafka/errors.ts';
import { KAFKA_DEFAULTS } from '../../src/publish/kafka/options.ts';
import { KafkaSession } from '../../src/publish/kafka/session.ts';
import { ModelCluster, type ModelFault } from '../support/kafka-model.ts';

const OPTIONS = { ...KAFKA_DEFAULTS, brokers: ['one:1', 'two:2', 'three:3'], batchRows: 9, retryForMs: 3_600_000 };

let position = 0n;
function message(key: string | null, topic = 't'): OutgoingMessage {
  const row = { position: ++position, id: String(position), values: [], lane: 'table', xid: null, since: NaN } as const;
  return {
    row,
    address: { kind: 'topic', topic },
    key,
    body: Buffer.from(`body of ${position}`),
    type: null,
    contentType: 'text/plain',
    headers: [],
    route: 0,
    bytes: 1,
  };
}

/** A batch with so many messages for each partition of topic t. */
function batchOf(...counts: readonly number[]): Batch {
  const messages: OutgoingMessage[] = [];
  const shares = counts.map((count, partition) => {
    const own = Array.from({ length: count }, () => message('key'));
    messages.push(...own);
    return { topic: 't', partition, members: own.map((one) => messages.indexOf(one)), bytes: 200 * count };
  });
  return { messages, shares, timestamp: 1_700_000_000_000 };
}

function driverOf(cluster: ModelCluster): DirectDriver {
  return new DirectDriver(cluster.library(), OPTIONS);
}

const leads = () => true;

const partitionsOf = (cluster: ModelCluster): unknown =>
  cluster.requests.map(({ node, shares }) => [node, shares.map(({ partition }) => partition)]);

describe('the direct driver', () => {
  test('sends one request to each leader, and goes on with the numbers of each partition', async () => {
    const cluster = new ModelCluster(3);
    const driver = driverOf(cluster);
    expect(await driver.send(batchOf(2, 1, 4), leads)).toBeNull();
    expect(await driver.send(batchOf(1, 1, 1), leads)).toBeNull();
    expect(partitionsOf(cluster)).toEqual([[0, [0, 2]], [1, [1]], [0, [0, 2]], [1, [1]]]); // prettier-ignore
    const sequences = cluster.requests.flatMap(({ shares }) => shares.map(({ batch }) => batch.firstSequence));
    expect(sequences).toEqual([0, 0, 0, 2, 4, 1]);
    expect(cluster.producers).toBe(1);
  });

  test('repeats the very same bytes after an answer that was lost, under the same id, over new connections', async () => {
    for (const fault of [{ kind: 'reset', stored: true }, { kind: 'garbage' }] as const) {
      const cluster = new ModelCluster(1, [fault]);
      const driver = driverOf(cluster);
      const batch = batchOf(3);
      expect(await driver.send(batch, leads)).toMatchObject({ trouble: { repeat: true }, answers: new Map() });
      expect(cluster.dropped).toBe(1);
      expect(await driver.send(batch, leads)).toBeNull();
      const [first, second] = cluster.requests.map(({ shares }) => shares[0]!.bytes);
      expect(second).toBe(first);
      expect(cluster.stored.get('t/0')).toHaveLength(3);
      expect(cluster.producers).toBe(1);
    }
  });

  test('begins with another broker after each failure, since the one before may hang', async () => {
    const lost = { kind: 'late', behind: 1_000 } as const;
    const cluster = new ModelCluster(1, [lost, lost]);
    const driver = driverOf(cluster);
    const batch = batchOf(1);
    while ((await driver.send(batch, leads)) !== null);
    expect([...cluster.bootstraps].sort()).toEqual([...OPTIONS.brokers].sort());
  });

  test('leaves out what is stored when it repeats, and tells of it', async () => {
    const cluster = new ModelCluster(4, [{ kind: 'none' }, { kind: 'reset', stored: false }]);
    const driver = driverOf(cluster);
    const batch = batchOf(1, 1, 1, 1);
    const failure = await driver.send(batch, leads);
    expect([...failure!.answers]).toEqual([
      ['t/0', { code: 0, culprits: [] }],
      ['t/2', { code: 0, culprits: [] }],
    ]);
    expect(await driver.send(batch, leads)).toBeNull();
    expect(partitionsOf(cluster)).toEqual([[0, [0, 2]], [1, [1, 3]]]); // prettier-ignore
  });

  test('asks for the leaders again when a partition has moved, and sends to the new one', async () => {
    const cluster = new ModelCluster(2, [{ kind: 'moved' }]);
    const driver = driverOf(cluster);
    const batch = batchOf(1, 1);
    const failure = await driver.send(batch, leads);
    expect(failure).toMatchObject({ trouble: { repeat: true, brokerCode: 6 } });
    expect(cluster.dropped).toBe(0);
    expect(await driver.send(batch, leads)).toBeNull();
    expect([...cluster.stored.values()].map(({ length }) => length)).toEqual([1, 1]);
    expect(cluster.producers).toBe(1);
  });

  test('tells which partitions were refused, and that others are stored', async () => {
    const cluster = new ModelCluster(4, [{ kind: 'refused', partitions: [2], code: 10 }]);
    const failure = await driverOf(cluster).send(batchOf(1, 1, 1, 1), leads);
    expect(failure).toMatchObject({ trouble: { repeat: false, brokerCode: 10, error: { code: 'message_too_large' } } });
    expect([...failure!.answers].map(([name, { code }]) => [name, code])).toEqual([
      ['t/0', 0],
      ['t/2', 10],
      ['t/1', 0],
      ['t/3', 0],
    ]);
  });

  test('asks for the same batch again while only that makes out what became of one partition', async () => {
    const faults = [10, 7].map((code, partition) => ({ kind: 'refused' as const, partitions: [partition], code }));
    const failure = await driverOf(new ModelCluster(2, faults)).send(batchOf(1, 1), leads);
    expect(failure).toMatchObject({ trouble: { repeat: true, brokerCode: 7, error: { code: 'broker_timeout' } } });
  });

  test('speaks version 7 with brokers that have no later one, and nothing with those that have other ones', async () => {
    const old = new ModelCluster(1);
    old.versions = { minVersion: 0, maxVersion: 7 };
    expect(await driverOf(old).send(batchOf(2), leads)).toBeNull();
    for (const versions of [
      { minVersion: 0, maxVersion: 6 },
      { minVersion: 9, maxVersion: 20 },
    ]) {
      const cluster = new ModelCluster(1);
      cluster.versions = versions;
      const thrown = await driverOf(cluster)
        .connect()
        .catch((error: unknown) => error);
      expect(troubleOf(thrown, 'connecting')).toMatchObject({ error: { code: 'broker_setup' }, repeat: false });
    }
  });

  test('writes nothing once this instance may not send any more, though it could when it began', async () => {
    const cluster = new ModelCluster(2);
    const driver = driverOf(cluster);
    const maySend = vi.fn(() => false);
    const failure = await driver.send(batchOf(1, 1), maySend);
    expect(failure).toMatchObject({ trouble: { repeat: false }, answers: new Map() });
    expect(failure!.trouble.error.message).toContain('lease');
    expect([maySend.mock.calls.length, cluster.requests]).toEqual([2, []]);
  });

  test('does not hold an attempt that has no answer to the answer of the one before', async () => {
    const faults = [
      { kind: 'refused', partitions: [0], code: 6 },
      { kind: 'late', behind: 1_000 },
    ] as const;
    const driver = driverOf(new ModelCluster(1, faults));
    const batch = batchOf(1);
    expect((await driver.send(batch, leads))?.answers.get('t/0')).toEqual({ code: 6, culprits: [] });
    expect(await driver.send(batch, leads)).toMatchObject({ trouble: { repeat: true }, answers: new Map() });
  });

  test('never sends another batch under the id of one that failed, even when it was not renewed', async () => {
    const cluster = new ModelCluster(1, [{ kind: 'reset', stored: true }]);
    const driver = driverOf(cluster);
    await driver.send(batchOf(2), leads);
    expect(await driver.send(batchOf(2), leads)).toBeNull();
    expect(cluster.producers).toBe(2);
    expect(cluster.stored.get('t/0')).toHaveLength(4);
  });

  test('tells of a partition that the topic does not have, and stores the others', async () => {
    const cluster = new ModelCluster(1);
    const failure = await driverOf(cluster).send(batchOf(1, 1), leads);
    expect(failure).toMatchObject({ trouble: { repeat: false, brokerCode: 3 } });
    expect(failure!.answers.get('t/0')).toEqual({ code: 0, culprits: [] });
  });

  test('writes into the same memory again after an answer, and never into what a socket may still hold', async () => {
    const seen: Buffer[] = [];
    const cluster = new ModelCluster(1, [{ kind: 'none' }, { kind: 'none' }, { kind: 'late', behind: 1_000 }]);
    const produce = cluster.produce.bind(cluster);
    cluster.produce = (node, body) => {
      seen.push(body);
      return produce(node, body);
    };
    const driver = driverOf(cluster);
    for (let n = 0; n < 2; n++) expect(await driver.send(batchOf(5), leads)).toBeNull();
    expect(seen[1]!.buffer).toBe(seen[0]!.buffer);
    const batch = batchOf(5);
    expect(await driver.send(batch, leads)).not.toBeNull();
    const held = Buffer.from(seen[2]!);
    expect(await driver.send(batch, leads)).toBeNull();
    driver.renew();
    expect(await driver.send(batchOf(5), leads)).toBeNull();
    expect(seen[2]!.equals(held)).toBe(true);
    expect(seen.slice(3).every(({ buffer }) => buffer !== held.buffer && buffer !== seen[2]!.buffer)).toBe(true);
  });
});

const fault: fc.Arbitrary<ModelFault> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ kind: 'none' as const }) },
  fc.record({ kind: fc.constant('reset' as const), stored: fc.boolean() }),
  fc.record({ kind: fc.constant('late' as const), behind: fc.nat(6) }),
  fc.constant({ kind: 'garbage' as const }),
  fc.record({
    kind: fc.constant('refused' as const),
    partitions: fc.subarray([0, 1, 2]),
    code: fc.constantFrom(6, 7, 19, 20, 56),
  }),
  fc.constant({ kind: 'moved' as const }),
);

const messages = fc.array(
  fc
    .tuple(fc.option(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { freq: 6 }), fc.constantFrom('t', 't', 'u'))
    .map(([key, topic]) => message(key, topic)),
  { minLength: 1, maxLength: 60 },
);

describe('a session over it', () => {
  async function publish(cluster: ModelCluster, all: readonly OutgoingMessage[]): Promise<readonly string[]> {
    const acknowledged: string[] = [];
    await new Promise<void>((resolve, reject) => {
      const session = new KafkaSession(
        driverOf(cluster),
        OPTIONS,
        {
          maySend: () => true,
          acknowledged: (stored) => {
            acknowledged.push(...stored.map(({ row }) => row.id));
            if (acknowledged.length === all.length) resolve(session.close(0));
          },
          refused: (_, error) => reject(error),
          retrying: () => undefined,
          failed: reject,
        },
        () => 0,
      );
      session.enqueue(all);
    });
    return acknowledged;
  }

  const storedIn = (cluster: ModelCluster) => [...cluster.stored.values()].flat();

  test('loses nothing and keeps the order of each key, whatever happens to requests', async () => {
    await fc.assert(
      fc.asyncProperty(messages, fc.array(fault, { maxLength: 25 }), async (all, faults) => {
        const cluster = new ModelCluster(3, faults);
        const acknowledged = await publish(cluster, all);
        expect(cluster.violations).toEqual([]);
        expect([...acknowledged].sort()).toEqual(all.map(({ row }) => row.id).sort());
        for (const [name, log] of cluster.stored) {
          for (const key of ['a', 'b', 'c', 'd', 'e']) {
            const ids = [...new Set(log.filter((record) => record.key === key).map(({ id }) => id))];
            const expected = all.filter((one) => one.key === key && name.startsWith(`${topicName(one)}/`));
            expect(ids).toEqual(ids.length === 0 ? [] : expected.map(({ row }) => row.id));
          }
        }
        expect(new Set(storedIn(cluster).map(({ id }) => id))).toEqual(new Set(acknowledged));
      }),
      { numRuns: 300 },
    );
  });

  test('stores everything exactly once while only answers and connections are lost, and leaders move', async () => {
    const harmless = fault.filter(
      (one) => one.kind !== 'refused' || one.code === 6 || one.code === 7 || one.code === 20,
    );
    await fc.assert(
      fc.asyncProperty(messages, fc.array(harmless, { maxLength: 25 }), async (all, faults) => {
        const cluster = new ModelCluster(3, faults);
        await publish(cluster, all);
        expect(cluster.producers).toBe(1);
        expect(
          storedIn(cluster)
            .map(({ id }) => id)
            .sort(),
        ).toEqual(all.map(({ row }) => row.id).sort());
      }),
      { numRuns: 300 },
    );
  });
});

function topicName({ address }: OutgoingMessage): string {
  return address.kind === 'topic' ? address.topic : '';
}
