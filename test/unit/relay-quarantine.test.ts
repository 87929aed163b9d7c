import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { OutgoingMessage } from '../../src/core/message.ts';
import { RelayError } from '../../src/core/errors.ts';
import type { PublisherSession } from '../../src/core/publisher.ts';
import type { OnError } from '../../src/core/routing.ts';
import type { ParkedMark } from '../../src/core/store.ts';
import { Ledger } from '../../src/relay/ledger.ts';
import { ParkedKeys } from '../../src/relay/parked-keys.ts';
import { Quarantine } from '../../src/relay/quarantine.ts';
import { noTelemetry } from '../support/simulation/telemetry.ts';
import { NOBODY, message } from './relay-support.ts';

const FAULT = new RelayError('message_unroutable', 'no such topic');
const settled = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);

/** A quarantine of one session, with what it does. */
class Stage {
  readonly ledger = new Ledger(NOBODY);
  readonly parked = new ParkedKeys();
  readonly statements: (readonly ParkedMark[])[] = [];
  readonly failures: RelayError[] = [];
  readonly letters: string[] = [];
  readonly buried: bigint[] = [];
  /** What becomes of the next dead letters; after these they are taken. */
  answers: RelayError[] = [];
  /** What becomes of the next statements. */
  storeFails = 0;
  release: () => void = () => undefined;
  readonly session: PublisherSession;
  readonly quarantine: Quarantine;
  #using = true;

  constructor(onError: OnError, parkedRows = 100, slowStore = false) {
    this.session = {
      enqueue: () => undefined,
      release: (key) => this.letters.push(`released ${key}`),
      discard: () => [],
      publishOne: ({ row }) => {
        const answer = this.answers.shift();
        if (answer !== undefined) return Promise.reject(answer);
        this.letters.push(`letter ${row.id}`);
        return Promise.resolve();
      },
      close: () => Promise.resolve(),
    };
    const router = {
      route: () => expect.fail('nothing is routed here'),
      onError: () => onError,
      deadLetter: ({ row }: { row: { position: bigint } }) => message(row.position),
    };
    const parkedStore = {
      load: () => Promise.resolve([]),
      park: async (marks: readonly ParkedMark[]) => {
        if (slowStore) await new Promise<void>((resolve) => (this.release = resolve));
        if (this.storeFails-- > 0) throw new RelayError('postgres_unreachable', 'simulated');
        this.statements.push(marks);
      },
      bury: ({ position }: { position: bigint }) => {
        this.buried.push(position);
        return Promise.resolve(true);
      },
    };
    const telemetry = noTelemetry().destination('d');
    this.quarantine = new Quarantine(
      { destination: 'd', router, parkedStore, parkedRows, telemetry },
      this.ledger,
      this.parked,
      {
        halt: () => expect.fail('no row halts here'),
        sessionFailed: (error) => {
          this.failures.push(error);
          this.#using = false;
        },
        changed: () => undefined,
        keyReleased: () => undefined,
        uses: () => this.#using,
      },
    );
  }

  refuse(position: bigint): OutgoingMessage {
    const refused = message(position, { key: `key-${position}` });
    this.ledger.send(refused);
    this.quarantine.refused(refused, FAULT, this.session);
    return refused;
  }
}

describe('the quarantine', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('writes many marks with few statements, one at a time', async () => {
    const stage = new Stage('park-key', 5000, true);
    for (let position = 1n; position <= 1200n; position++) stage.refuse(position);
    for (let statement = 1; statement <= 4; statement++) {
      stage.release();
      await settled();
      expect(stage.statements).toHaveLength(statement);
    }
    expect(stage.statements.map(({ length }) => length)).toEqual([1, 500, 500, 199]);
    expect(stage.parked.allWritten).toBe(true);
  });

  it('writes again what the table did not take', async () => {
    const stage = new Stage('park-key');
    stage.storeFails = 2;
    stage.refuse(1n);
    await settled();
    expect(stage.parked.allWritten).toBe(false);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(stage.statements.map((marks) => marks.map(({ position }) => position))).toEqual([[1n]]);
    expect(stage.parked.allWritten).toBe(true);
  });

  it('takes very many refused rows for one fault: parks no more, and gives the session up', async () => {
    const stage = new Stage('park-key', 3);
    for (let position = 1n; position <= 3n; position++) stage.refuse(position);
    expect(stage.failures).toEqual([]);
    const behind = stage.refuse(4n);
    expect(stage.failures).toMatchObject([{ code: 'parked_limit', class: 'configuration' }]);
    expect(stage.failures[0]?.message).toContain('no such topic');
    stage.refuse(5n);
    expect(stage.failures).toHaveLength(1);
    await settled();
    expect(stage.parked.size).toBe(3);
    expect(stage.statements.flat()).toHaveLength(3);
    expect(stage.parked.leavesOut(behind.row, behind.key)).toBe(false);
  });

  it('counts how often a row was refused, a retry in between included', () => {
    const stage = new Stage('park-key', 100, true);
    const { row } = stage.refuse(1n);
    expect(stage.parked.attemptsOf(row)).toBe(1);
    stage.parked.written(row);
    stage.parked.read(stage.parked.beginReading(), []);
    stage.parked.applyReleases();
    expect(stage.parked.size).toBe(0);
    stage.refuse(1n);
    expect(stage.parked.attemptsOf(row)).toBe(2);
  });

  it('sends a dead letter again for as long as the broker does not take it for now, and parks nothing', async () => {
    const stage = new Stage('dead-letter');
    stage.answers = Array.from({ length: 20 }, () => new RelayError('broker_unavailable', 'a queue is full'));
    stage.refuse(1n);
    await vi.advanceTimersByTimeAsync(120_000);
    expect(stage.letters).toEqual(['letter id-1', 'released key-1']);
    expect(stage.buried).toEqual([1n]);
    expect(stage.parked.size).toBe(0);
  });

  it('parks the key when the dead letter is refused for good', async () => {
    const stage = new Stage('dead-letter');
    stage.answers = [new RelayError('message_unroutable', 'no dead-letter queue')];
    stage.refuse(1n);
    await settled();
    expect(stage.letters).toEqual([]);
    expect(stage.statements.flat()).toMatchObject([{ position: 1n, key: 'key-1', code: FAULT.code }]);
  });
});
