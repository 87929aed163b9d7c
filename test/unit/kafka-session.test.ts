import fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { RelayError } from '../../src/core/errors.ts';
import type { OutgoingMessage } from '../../src/core/message.ts';
import type { Batch } from '../../src/publish/kafka/batch.ts';
import {
  partitionName,
  type KafkaDriver,
  type PartitionAnswer,
  type SendFailure,
} from '../../src/publish/kafka/driver.ts';
import { troubleOf, type KafkaTrouble } from '../../src/publish/kafka/errors.ts';
import { KAFKA_DEFAULTS } from '../../src/publish/kafka/options.ts';
import { recordsOf, type KafkaRecord } from '../../src/publish/kafka/record.ts';
import { KafkaSession } from '../../src/publish/kafka/session.ts';

const OPTIONS = { ...KAFKA_DEFAULTS, brokers: ['model:9092'], batchRows: 7, retryForMs: 60_000 };
const PARTITIONS = 3;
const NOT_LEADER = 6;
const NOT_ENOUGH_REPLICAS = 19;
const TOO_LARGE = 10;
const INVALID_RECORD = 87;
/** What the model's topic takes of one partition in one request. */
const MAX_BODIES = 40;

/** What happens to one request; `answered` lets the partitions of topic t in `failing` fail with a passing error. */
type Fault =
  | { readonly kind: 'none' }
  | { readonly kind: 'lost request' }
  | { readonly kind: 'lost answer' }
  | { readonly kind: 'answered'; readonly failing: readonly number[]; readonly code: number };

interface PartitionLog {
  /** By producer id: the sequence number that is to come next. */
  readonly next: Map<number, number>;
}

/**
 * A broker and a client library with the hazard of both real ones: sequence numbers advance only when a request
 * succeeds as a whole, so a different request after a failed one is taken for a repetition, "stored", and lost.
 */
class HazardousDriver implements KafkaDriver {
  readonly #logs = new Map<string, PartitionLog>();
  /** All that is stored, in the order of its coming. */
  readonly stored: KafkaRecord[] = [];
  inFlight = 0;
  readonly #faults: Fault[];
  readonly #tells: boolean;
  #producer = 0;
  #failed: Batch | null = null;
  #sequences = new Map<string, number>();

  /**
   * @param tells like platformatic: which partition and record failed, and knows repetitions again; else like kafkajs
   */
  constructor(faults: readonly Fault[], tells: boolean) {
    this.#faults = [...faults];
    this.#tells = tells;
  }

  get repeatsSafely(): boolean {
    return this.#tells;
  }

  connect = () => Promise.resolve();
  brokerCount = () => Promise.resolve(1);
  describe = () => Promise.resolve({ partitions: PARTITIONS, replicas: 1 });
  close = () => Promise.resolve();

  renew(): void {
    this.#producer++;
    this.#sequences = new Map();
    this.#failed = null;
  }

  async send(batch: Batch): Promise<SendFailure | null> {
    expect(this.inFlight++).toBe(0);
    await Promise.resolve();
    this.inFlight--;
    if (this.#failed !== null) expect([this.#tells, batch === this.#failed]).toEqual([true, true]);
    this.#failed = batch;
    const records = recordsOf(batch);
    const fault = this.#faults.shift() ?? { kind: 'none' };
    if (fault.kind === 'lost request') return UNANSWERED;
    const answers = this.#apply(records, fault.kind === 'answered' ? fault : { failing: [], code: 0 });
    if (fault.kind === 'lost answer') return UNANSWERED;
    const failed = [...answers].filter(([, { code }]) => code !== 0);
    const [first] = failed;
    if (first === undefined) {
      this.#advance(records);
      this.#failed = null;
      return null;
    }
    const trouble = answeredWith((failed.find(([, { code }]) => code === NOT_LEADER) ?? first)[1].code);
    return { trouble, answers: this.#tells ? answers : new Map() };
  }

  #apply(
    records: readonly KafkaRecord[],
    { failing, code }: { readonly failing: readonly number[]; readonly code: number },
  ): Map<string, PartitionAnswer> {
    const answers = new Map<string, PartitionAnswer>();
    for (const [name, members] of groupByPartition(records)) {
      const culprits = members.flatMap(({ value }, at) => (isPoison(value) ? [at] : []));
      const size = members.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
      if (failing.some((partition) => name === partitionName('t', partition)))
        answers.set(name, { code, culprits: [] });
      else if (culprits.length > 0) answers.set(name, { code: INVALID_RECORD, culprits });
      else if (size > MAX_BODIES) answers.set(name, { code: TOO_LARGE, culprits: [] });
      else answers.set(name, { code: this.#append(name, members), culprits: [] });
    }
    return answers;
  }

  #append(name: string, members: readonly KafkaRecord[]): number {
    const log = this.#logs.get(name) ?? { next: new Map<number, number>() };
    this.#logs.set(name, log);
    const sequence = this.#sequences.get(name) ?? 0;
    const expected = log.next.get(this.#producer) ?? 0;
    if (sequence > expected) return 45;
    if (sequence < expected) return 0;
    this.stored.push(...members);
    log.next.set(this.#producer, expected + members.length);
    return 0;
  }

  #advance(records: readonly KafkaRecord[]): void {
    for (const [name, members] of groupByPartition(records))
      this.#sequences.set(name, (this.#sequences.get(name) ?? 0) + members.length);
  }
}

function groupByPartition(records: readonly KafkaRecord[]): Map<string, KafkaRecord[]> {
  const groups = new Map<string, KafkaRecord[]>();
  for (const record of records) {
    const name = partitionName(record.topic, record.partition);
    groups.set(name, [...(groups.get(name) ?? []), record]);
  }
  return groups;
}

const isPoison = (value: Buffer | null): boolean => value?.toString() === 'poison';

const UNANSWERED: SendFailure = {
  trouble: { error: new RelayError('broker_unreachable', 'model: connection lost'), repeat: true, brokerCode: null },
  answers: new Map(),
};

/** As the real errors are classified: kafkajs's shape of a protocol error. */
function answeredWith(code: number): KafkaTrouble {
  return troubleOf(Object.assign(new Error('model'), { code, type: `CODE_${code}` }), 'model');
}

let position = 0n;
function message(key: string | null, body: string, topic = 't'): OutgoingMessage {
  const row = { position: ++position, id: String(position), values: [], lane: 'table', xid: null, since: NaN } as const;
  return {
    row,
    address: { kind: 'topic', topic },
    key,
    body: Buffer.from(body),
    type: null,
    contentType: 'text/plain',
    headers: [],
    route: 0,
    bytes: 1,
  };
}

const faultArbitrary: fc.Arbitrary<Fault> = fc.oneof(
  { weight: 2, arbitrary: fc.constant({ kind: 'none' as const }) },
  fc.constant({ kind: 'lost request' as const }),
  fc.constant({ kind: 'lost answer' as const }),
  fc.record({
    kind: fc.constant('answered' as const),
    failing: fc.subarray([0, 1, 2]),
    code: fc.constantFrom(NOT_LEADER, NOT_ENOUGH_REPLICAS),
  }),
);

const messagesArbitrary = fc.array(
  fc
    .tuple(
      fc.option(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), { freq: 6 }),
      fc.oneof(
        { weight: 8, arbitrary: fc.constantFrom('x', 'xxxxxxxxxxxxxx') },
        fc.constant('poison'),
        fc.constant('x'.repeat(MAX_BODIES + 1)),
      ),
      fc.constantFrom('t', 't', 't', 'u'),
      fc.option(fc.record({ partition: fc.nat(PARTITIONS) }), { freq: 2, nil: {} }),
    )
    .map(([key, body, topic, named]) => ({ ...message(key, body, topic), ...named })),
  { maxLength: 60 },
);

/** Beside what the broker refuses, what is for a partition that there is not. */
const isRefusable = ({ body, partition = 0 }: OutgoingMessage): boolean =>
  isPoison(body) || (body?.length ?? 0) > MAX_BODIES || partition >= PARTITIONS;

interface Outcome {
  readonly acked: readonly OutgoingMessage[];
  readonly refused: readonly OutgoingMessage[];
}

/**
 * Publishes everything; each key that is refused is released at once, so that what follows goes on. Whenever a message
 * is refused, all before it in its key have to be done with, and nothing behind it.
 */
async function publishAll(driver: KafkaDriver, messages: readonly OutgoingMessage[], chunk: number): Promise<Outcome> {
  const acked: OutgoingMessage[] = [];
  const refused: OutgoingMessage[] = [];
  await new Promise<void>((resolve, reject) => {
    const look = (): void => {
      if (acked.length + refused.length === messages.length) resolve();
    };
    const session = new KafkaSession(
      driver,
      OPTIONS,
      {
        maySend: () => true,
        acknowledged: (stored) => {
          acked.push(...stored);
          look();
        },
        refused: (one) => {
          const ofKey = messages.filter(({ key }) => key !== null && key === one.key);
          const done = ofKey.filter((each) => acked.includes(each) || refused.includes(each));
          expect(done).toEqual(ofKey.slice(0, Math.max(0, ofKey.indexOf(one))));
          refused.push(one);
          session.release(one.key);
          look();
        },
        retrying: () => undefined,
        failed: reject,
      },
      () => 0,
    );
    for (let at = 0; at < messages.length; at += chunk) session.enqueue(messages.slice(at, at + chunk));
    look();
  });
  return { acked, refused };
}

describe.each([
  ['told which record failed', true],
  ['told nothing', false],
])('a session that is %s', (_, tells) => {
  test('loses nothing, keeps the order of each key and finds every culprit, whatever fails', async () => {
    await fc.assert(
      fc.asyncProperty(
        messagesArbitrary,
        fc.array(faultArbitrary, { maxLength: 25 }),
        fc.integer({ min: 1, max: 20 }),
        async (messages, faults, chunk) => {
          const driver = new HazardousDriver(faults, tells);
          const { acked, refused } = await publishAll(driver, messages, chunk);
          expect(new Set(refused)).toEqual(new Set(messages.filter(isRefusable)));
          expect(new Set(acked)).toEqual(new Set(messages.filter((one) => !isRefusable(one))));
          expect(acked).toHaveLength(new Set(acked).size);
          const { stored } = driver;
          const ids = new Set(stored.map(({ headers }) => [...headers.values()][0]!.toString()));
          expect(ids).toEqual(new Set(acked.map(({ row }) => row.id)));
          for (const key of ['a', 'b', 'c', 'd', 'e', 'f']) {
            const ofKey = stored.filter((record) => record.key?.toString() === key);
            const order = [...new Set(ofKey.map(({ headers }) => [...headers.values()][0]!.toString()))];
            expect(order).toEqual(
              messages.filter((one) => one.key === key && !isRefusable(one)).map(({ row }) => row.id),
            );
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('a session', () => {
  const listener = (failed: (error: RelayError) => void) => ({
    maySend: () => true,
    acknowledged: () => undefined,
    refused: () => undefined,
    retrying: () => undefined,
    failed,
  });

  test('fails when the time for repetitions is over', async () => {
    const driver = new HazardousDriver(
      Array.from({ length: 1_000 }, () => ({ kind: 'lost request' })),
      true,
    );
    const failure = await new Promise<RelayError>((resolve) => {
      const session = new KafkaSession(driver, { ...OPTIONS, retryForMs: 1 }, listener(resolve), () => 0);
      session.enqueue([message('a', 'x')]);
    });
    expect(failure.code).toBe('broker_unreachable');
  });

  test('counts the time for repetitions anew once the broker has answered, though it stored nothing', async () => {
    const lost = { kind: 'lost request' } as const;
    const driver = new HazardousDriver([lost, { kind: 'none' }, lost], true);
    let now = 0;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now);
    onTestFinished(() => clock.mockRestore());
    const told = await new Promise<string>((resolve) => {
      const failed = (error: RelayError) => resolve(`failed: ${error.code}`);
      const hears = {
        ...listener(failed),
        refused: () => {
          // an hour without a message
          now += 3_600_000;
          session.enqueue([message('b', 'x')]);
        },
        acknowledged: () => resolve('acknowledged'),
      };
      const session = new KafkaSession(driver, { ...OPTIONS, retryForMs: 1_000 }, hears, () => 0);
      session.enqueue([message('a', 'poison')]);
    });
    expect(told).toBe('acknowledged');
  });

  test('fails at once when somebody has to mend something, and acknowledges what was stored', async () => {
    const driver = new HazardousDriver([], true);
    driver.send = ({ shares }) =>
      Promise.resolve({
        trouble: answeredWith(29),
        answers: new Map(
          shares.map(({ partition }) => [
            partitionName('t', partition),
            { code: partition === 0 ? 0 : 29, culprits: [] },
          ]),
        ),
      });
    const acknowledged: OutgoingMessage[] = [];
    const failure = await new Promise<RelayError>((resolve) => {
      const session = new KafkaSession(
        driver,
        { ...OPTIONS, batchRows: 100 },
        { ...listener(resolve), acknowledged: (stored) => acknowledged.push(...stored) },
      );
      session.enqueue(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'].map((key) => message(key, 'x')));
    });
    expect(failure.code).toBe('broker_authorization');
    expect(acknowledged.length).toBeGreaterThan(0);
    expect(acknowledged.length).toBeLessThan(9);
  });

  test('fails when the client library throws something that nobody expects', async () => {
    const driver = new HazardousDriver([], true);
    driver.send = () => Promise.reject(new Error('surprise'));
    const failure = await new Promise<RelayError>((resolve) => {
      new KafkaSession(driver, OPTIONS, listener(resolve)).enqueue([message('a', 'x')]);
    });
    expect(failure).toBeInstanceOf(RelayError);
  });

  test('fails when the client library never answers', async () => {
    const driver = new HazardousDriver([], true);
    driver.send = () => new Promise(() => undefined);
    const options = { ...OPTIONS, connectTimeoutMs: 1, requestTimeoutMs: 1 };
    const failure = await new Promise<RelayError>((resolve) => {
      new KafkaSession(driver, options, listener(resolve)).enqueue([message('a', 'x')]);
    });
    expect(failure.code).toBe('broker_timeout');
  });
});
