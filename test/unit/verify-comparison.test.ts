import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Comparison, type ObservedMessage, type PublishedId } from '../../src/verify/comparison.ts';
import { IdTable } from '../../src/verify/id-table.ts';
import { isSound } from '../../src/verify/report.ts';

const MANY = 1_000_000;

function message(id: string, overrides: Partial<ObservedMessage> = {}): ObservedMessage {
  return {
    id,
    lane: 0,
    key: 'k',
    position: null,
    inWindow: true,
    accountable: true,
    where: () => `at ${id}`,
    ...overrides,
  };
}

function entry(position: number, overrides: Partial<PublishedId> = {}): PublishedId {
  return {
    position: BigInt(position),
    id: `id-${position}`,
    key: 'k',
    address: 'orders',
    deadLetter: false,
    publishedAt: position,
    judged: true,
    retained: true,
    ...overrides,
  };
}

function compared(observed: readonly ObservedMessage[], record: readonly PublishedId[], table: readonly string[] = []) {
  const comparison = new Comparison(MANY);
  for (const one of observed) comparison.observe(one);
  for (const one of record) comparison.published(one);
  for (const id of table) comparison.inTable(id);
  return comparison.result(true);
}

describe('a table of ids', () => {
  const ids = fc.oneof(
    fc.uuid(),
    fc.uuid().map((uuid) => uuid.toUpperCase()),
    fc.bigInt().map(String),
    fc.string({ unit: 'grapheme', maxLength: 300 }),
  );

  it('numbers each id once, finds it, and gives it back', () => {
    fc.assert(
      fc.property(fc.array(ids, { maxLength: 400 }), fc.array(ids), (given, others) => {
        const table = new IdTable();
        const numbers = new Map<string, number>();
        for (const id of given) {
          const number = table.add(id);
          expect(number).toBe(numbers.get(id) ?? numbers.size);
          numbers.set(id, number);
        }
        expect(table.size).toBe(numbers.size);
        for (const [id, number] of numbers) expect([table.find(id), table.textOf(number)]).toEqual([number, id]);
        for (const id of others) expect(table.find(id)).toBe(numbers.get(id) ?? -1);
      }),
    );
  });

  it('grows', () => {
    const table = new IdTable();
    const uuid = (n: number): string => `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;
    for (let n = 0; n < 20_000; n++) expect(table.add(uuid(n))).toBe(n);
    for (let n = 0; n < 20_000; n += 7) expect([table.find(uuid(n)), table.textOf(n)]).toEqual([n, uuid(n)]);
    expect(table.find(uuid(20_000))).toBe(-1);
  });
});

/** A record of rows of some keys, and what became of each at the broker. */
const scenario = fc.array(
  fc.record({
    key: fc.constantFrom('a', 'b', null),
    fate: fc.constantFrom('there', 'there', 'there', 'lost', 'twice'),
    /** How far it is put off behind the messages after it. */
    late: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: 1, max: 6 }) }),
  }),
  { maxLength: 60 },
);

describe('the comparison', () => {
  it('finds exactly what was dropped, doubled and swapped', () => {
    fc.assert(
      fc.property(scenario, fc.uniqueArray(fc.integer({ min: 1000, max: 1100 })), (rows, foreign) => {
        const record = rows.map(({ key }, position) => entry(position, { key }));
        const sent = rows
          .map(({ key, fate, late }, position) => ({ position, key, fate, at: position + late }))
          .filter(({ fate }) => fate !== 'lost')
          .sort((a, b) => a.at - b.at || a.position - b.position);
        const copies = sent.filter(({ fate }) => fate === 'twice');
        const observed = [...sent, ...copies].map(({ position, key }) => message(`id-${position}`, { key }));
        const result = compared([...observed, ...foreign.map((n) => message(`id-${n}`))], record);

        const named = (positions: readonly number[]): string[] => positions.map((position) => `id-${position}`);
        const lost = rows.flatMap(({ fate }, position) => (fate === 'lost' ? [position] : []));
        const disordered = sent.filter(({ position, key }, index) =>
          sent.slice(0, index).some((before) => key !== null && before.key === key && before.position > position),
        );
        expect(result.missing?.examples.map(({ id }) => id)).toEqual(named(lost));
        expect(result.duplicated.examples.map(({ id }) => id)).toEqual(named(copies.map(({ position }) => position)));
        expect(result.outOfOrder.examples.map(({ id }) => id)).toEqual(
          named(disordered.map(({ position }) => position)),
        );
        expect(result.unexpected?.examples).toEqual(named(foreign));
        expect([
          result.messages,
          result.ids,
          result.recorded,
          result.missing?.count,
          result.duplicated.count,
          result.duplicated.copies,
          result.outOfOrder.count,
          result.unexpected?.count,
        ]).toEqual([
          observed.length + foreign.length,
          sent.length + foreign.length,
          rows.length,
          lost.length,
          copies.length,
          copies.length,
          disordered.length,
          foreign.length,
        ]);
        expect(isSound(result, false)).toBe(lost.length + disordered.length === 0);
        expect(isSound(result, true)).toBe(lost.length + disordered.length + copies.length + foreign.length === 0);
      }),
      { numRuns: 300 },
    );
  });

  it('does not judge what lies outside of the window, or may have expired', () => {
    const record = [
      entry(1, { judged: false }),
      entry(2, { retained: false }),
      entry(3),
      entry(4, { judged: false }),
      entry(5),
    ];
    const observed = [5, 4, 3].map((position) => message(`id-${position}`));
    const result = compared(
      [...observed, message('old', { accountable: false }), message('id-5', { inWindow: false })],
      record,
    );
    expect(result).toMatchObject({ missing: { count: 0 }, notRetained: 1, recorded: 3 });
    expect([result.unexpected?.count, result.duplicated.count]).toEqual([0, 0]);
    // 4 is out of order as well, and was not asked for
    expect(result.outOfOrder).toEqual({ count: 1, examples: [{ id: 'id-3', position: 3n, behind: 5n }] });
  });

  it('takes a row that is still in the table for published and not yet deleted', () => {
    const result = compared([message('id-1'), message('id-2')], [], ['id-1', 'id-9']);
    expect(result.unexpected).toEqual({ count: 1, examples: ['id-2'] });
  });

  it('rows that share an id are no copies of each other', () => {
    const record = [entry(1, { id: 'same' }), entry(2, { id: 'same' })];
    expect(compared([message('same'), message('same')], record).duplicated.count).toBe(0);
    expect(compared([message('same'), message('same'), message('same')], record).duplicated).toMatchObject({
      count: 1,
      copies: 1,
    });
  });

  it('keeps order within a lane only, and none for dead letters', () => {
    const record = [entry(1), entry(2), entry(3, { deadLetter: true }), entry(4)];
    const lanes = [message('id-2'), message('id-1', { lane: 1 }), message('id-4'), message('id-3')];
    expect(compared(lanes, record).outOfOrder.count).toBe(0);
    expect(compared([message('id-2'), message('id-1')], record).outOfOrder.count).toBe(1);
  });

  it('without a record tells copies, and order by the positions that messages carry', () => {
    const comparison = new Comparison(10);
    for (const position of [1, 3, 2, 3]) comparison.observe(message(`id-${position}`, { position: BigInt(position) }));
    comparison.observe(message('no position'));
    const result = comparison.result(false);
    expect(result).toMatchObject({ missing: null, unexpected: null, recorded: null });
    expect(result.duplicated).toMatchObject({ count: 1, examples: [{ id: 'id-3', where: 'at id-3', copies: 1 }] });
    expect(result.outOfOrder).toEqual({ count: 1, examples: [{ id: 'id-2', position: 2n, behind: 3n }] });
  });
});
