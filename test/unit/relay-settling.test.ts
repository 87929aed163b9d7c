import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RelayError } from '../../src/core/errors.ts';
import type { PublishedRow, SettleResult, Settler } from '../../src/core/store.ts';
import { Settling, type SettlingOwner, type SettlingRow } from '../../src/relay/settling.ts';

type Answer = (rows: readonly PublishedRow[]) => Partial<SettleResult>;

class ScriptedSettler implements Settler {
  readonly statements: (readonly bigint[])[] = [];
  readonly #answers: Answer[];

  constructor(...answers: Answer[]) {
    this.#answers = answers;
  }

  settle<Row extends PublishedRow>(rows: readonly Row[]): Promise<SettleResult<Row>> {
    this.statements.push(rows.map(({ position }) => position));
    const answer = this.#answers.shift()?.(rows) ?? {};
    return Promise.resolve({
      deleted: rows.length,
      notYetVisible: [],
      missing: [],
      locked: [],
      blocked: [],
      ...answer,
    } as SettleResult<Row>);
  }
}

describe('settling', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  function settling(settler: Settler, leads: () => boolean = () => true) {
    const told = { deleted: 0, notYetVisible: 0, missing: 0, failed: 0 };
    const observer = {
      deleted: (rows: number) => (told.deleted += rows),
      notYetVisible: (rows: number) => (told.notYetVisible += rows),
      missing: (rows: number) => (told.missing += rows),
      failed: () => (told.failed += 1),
    };
    const settled: bigint[] = [];
    const deferred: bigint[] = [];
    const blocked: RelayError[] = [];
    const owner: SettlingOwner = {
      settled: ({ position }) => settled.push(position),
      deferred: ({ position }) => deferred.push(position),
      deletionBlocked: (error) => blocked.push(error),
    };
    return { settling: new Settling(settler, observer, leads), owner, told, settled, deferred, blocked };
  }

  const rows = (owner: SettlingOwner, ...positions: number[]): SettlingRow[] =>
    positions.map((position) => ({ position: BigInt(position), id: `id-${position}`, xid: 7, owner }));

  async function untilIdle(subject: Settling): Promise<void> {
    const idle = subject.whenIdle();
    await vi.advanceTimersByTimeAsync(100);
    await idle;
  }

  it('gathers what comes while a statement runs, at most 1,000 rows a statement', async () => {
    const settler = new ScriptedSettler();
    const { settling: subject, owner, told } = settling(settler);
    const many = Array.from({ length: 1600 }, (_, at) => at + 1);
    subject.push(rows(owner, ...many.slice(0, 100)));
    subject.push(rows(owner, ...many.slice(100)));
    await untilIdle(subject);
    expect(settler.statements.map((statement) => statement.length)).toEqual([100, 1000, 500]);
    expect(told.deleted).toBe(1600);
    expect(subject.unsettled).toBe(0);
  });

  it('waits a moment for more when there are few, and not when there are enough', async () => {
    const settler = new ScriptedSettler();
    const { settling: subject, owner } = settling(settler);
    for (let position = 1; position < 100; position++) subject.push(rows(owner, position));
    expect(settler.statements).toEqual([]);
    subject.push(rows(owner, 100));
    expect(settler.statements.map(({ length }) => length)).toEqual([100]);
    await vi.advanceTimersByTimeAsync(0);
    subject.push(rows(owner, 101));
    await vi.advanceTimersByTimeAsync(5);
    subject.push(rows(owner, 102));
    expect(settler.statements).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(5);
    expect(settler.statements.slice(1)).toEqual([[101n, 102n]]);
    await subject.whenIdle();
  });

  it('tries a row that is not visible yet again, for as long as it takes, and never takes it for gone', async () => {
    const notYet: Answer = (given) => ({ deleted: given.length - 1, notYetVisible: given.slice(0, 1) });
    const settler = new ScriptedSettler(...Array.from({ length: 50 }, () => notYet));
    const { settling: subject, owner, told, settled, deferred } = settling(settler);
    subject.push(rows(owner, 1, 2));
    const idle = subject.whenIdle();
    await vi.advanceTimersByTimeAsync(60_000);
    await idle;
    expect(settled).toEqual([2n, 1n]);
    expect(new Set(deferred)).toEqual(new Set([1n]));
    expect(told).toMatchObject({ deleted: 2, notYetVisible: 50, missing: 0 });
  });

  it('repeats a failed statement with the same rows, and then blames nobody for rows that are gone', async () => {
    const fail: Answer = () => {
      throw new RelayError('postgres_unreachable', 'simulated');
    };
    const settler = new ScriptedSettler(fail, (given) => ({ deleted: 0, missing: given }));
    const { settling: subject, owner, told, settled } = settling(settler);
    subject.push(rows(owner, 1, 2));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(settler.statements).toEqual([
      [1n, 2n],
      [1n, 2n],
    ]);
    expect(settled).toEqual([1n, 2n]);
    expect(told).toMatchObject({ failed: 1, missing: 0 });
  });

  it('tries locked rows again by themselves, and holds nothing else up for them', async () => {
    const settler = new ScriptedSettler((given) => ({ deleted: 1, locked: given.slice(0, 1) }));
    const { settling: subject, owner, settled, deferred } = settling(settler);
    subject.push(rows(owner, 1, 2));
    await vi.advanceTimersByTimeAsync(100);
    expect(deferred).toEqual([1n]);
    subject.push(rows(owner, 3));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(settler.statements).toEqual([[1n, 2n], [3n]]);
    const idle = subject.whenIdle();
    await vi.advanceTimersByTimeAsync(2_000);
    await idle;
    expect(settler.statements.at(-1)).toEqual([1n]);
    expect(settled).toEqual([2n, 3n, 1n]);
  });

  it('tells rows that somebody else removed, and counts them as settled', async () => {
    const {
      settling: subject,
      owner,
      told,
      settled,
    } = settling(new ScriptedSettler((given) => ({ deleted: 1, missing: given.slice(0, 1) })));
    subject.push(rows(owner, 1, 2));
    await untilIdle(subject);
    expect(told).toMatchObject({ deleted: 1, missing: 1 });
    expect(settled).toEqual([1n, 2n]);
  });

  it('tells the owner of rows that cannot be deleted', async () => {
    const {
      settling: subject,
      owner,
      blocked,
      settled,
    } = settling(new ScriptedSettler((given) => ({ deleted: 1, blocked: given.slice(0, 1) })));
    subject.push(rows(owner, 1, 2));
    await untilIdle(subject);
    expect(blocked.map(({ code }) => code)).toEqual(['delete_blocked']);
    expect(settled).toEqual([2n]);
  });

  it('deletes nothing after leadership is lost, and blames nobody for rows that are gone by then', async () => {
    let leads = true;
    const lost: Answer = (given) => {
      leads = false;
      return { deleted: 0, missing: given };
    };
    const settler = new ScriptedSettler(lost);
    const { settling: subject, owner, told } = settling(settler, () => leads);
    subject.push(rows(owner, 1));
    await vi.advanceTimersByTimeAsync(1_000);
    subject.push(rows(owner, 2));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(settler.statements).toEqual([[1n]]);
    expect([told.missing, subject.unsettled]).toEqual([0, 1]);
  });
});
