import { CommanderError } from 'commander';
import { describe, expect, it, vi } from 'vitest';
import { CASES } from '../bench/cases/index.ts';
import { CASE_NAMES } from '../bench/cases/names.ts';
import type { Contestant } from '../bench/contestants/contestant.ts';
import { PEERS } from '../bench/contestants/index.ts';
import { relay } from '../bench/contestants/relay.ts';
import type { Machine } from '../bench/machine.ts';
import { FIGURES, type Figures } from '../bench/measure/figures.ts';
import { parseOptions } from '../bench/options.ts';
import { caseReport, workReport } from '../bench/report.ts';
import { fetchAll, type Outcome, playRounds } from '../bench/rounds.ts';
import { markdownLines, textLines } from '../bench/tables.ts';

const MACHINE: Machine = {
  ...{ cpu: 'a processor', cores: 2, memoryMb: 1, system: 'linux', node: 'v20', postgres: '18', broker: 'Kafka' },
  loadBefore: 0.1,
};
const OURS = relay([]);
const { debezium, 'client-alone': limit } = PEERS;
const WORK = { label: '', rows: 30_000 };

function figures(some: Partial<Figures>): Figures {
  const unknown = Object.fromEntries(Object.keys(FIGURES).map((name) => [name, Number.NaN])) as Record<
    keyof Figures,
    number
  >;
  return { ...unknown, ...some };
}

function measured(...rates: number[]): Outcome {
  return { kind: 'measured', rounds: rates.map((messagesPerSecond) => figures({ messagesPerSecond })) };
}

function drained(outcomes: readonly (readonly [Contestant, Outcome])[]) {
  const about = { ratio: 'messagesPerSecond', broker: 'kafka', work: WORK } as const;
  return caseReport(CASES.drain, MACHINE, [workReport(about, new Map(outcomes))]);
}

describe('the report of a case', () => {
  it('has the shape that others read: ours, peers by name, and ratios of ours over theirs', () => {
    const report = drained([
      [OURS, measured(200, 300, 100)],
      [debezium, measured(50)],
      [limit, measured(400)],
    ]);
    expect(report).toMatchObject({
      case: 'drain',
      machine: { cores: 2 },
      ours: { messagesPerSecond: 200, spread: { messagesPerSecond: [100, 300] }, role: 'relay' },
      peers: { debezium: { messagesPerSecond: 50, role: 'peer' }, 'client-alone': { role: 'limit' } },
      ratios: { debezium: 4, 'client-alone': 0.5 },
    });
    const names = Object.keys(report.ours);
    expect(names).toEqual(expect.arrayContaining(['peakRssMb', 'cpuMicrosPerMessage', 'p99Ms']));
  });

  it('says why a peer has no figures, and gives no ratio for it', () => {
    const report = drained([
      [OURS, measured(200)],
      [debezium, { kind: 'unavailable', reason: 'Maven Central does not answer' }],
      [limit, { kind: 'failed', reason: 'of 2 rows 1 are missing\nand more' }],
    ]);
    expect(report.peers).toEqual({
      debezium: { unavailable: 'Maven Central does not answer' },
      'client-alone': { failed: 'of 2 rows 1 are missing\nand more' },
    });
    expect(report.ratios).toEqual({});
    const text = textLines(CASES.drain, report).join('\n');
    expect(text).toContain('unavailable: Maven Central does not answer');
    expect(text).toContain('failed: of 2 rows 1 are missing');
    expect(text).not.toContain('and more');
  });

  it('compares a case with its first piece of work, where that is what it is about', () => {
    const works = [500, 400].map((rate, index) =>
      workReport(
        { ratio: 'messagesPerSecond', broker: 'kafka', work: { label: `work ${index}`, rows: 10 } },
        new Map([[OURS, measured(rate)]]),
      ),
    );
    const report = caseReport(CASES.growth, MACHINE, works);
    expect(report).toMatchObject({ work: 'work 1', ours: { messagesPerSecond: 400 }, ratios: { 'work 0': 0.8 } });
    expect(report.series).toHaveLength(2);
  });

  it('tells how many rows one had that got fewer', () => {
    const report = drained([
      [OURS, measured(200)],
      [PEERS['pg-transactional-outbox'], measured(2)],
    ]);
    expect(report.peers['pg-transactional-outbox']).toMatchObject({ rows: 5_000 });
    expect(textLines(CASES.drain, report).join('\n')).toContain('pg-transactional-outbox (5,000 rows)');
  });

  it('is a table of Markdown too', () => {
    const lines = markdownLines(
      CASES.drain,
      drained([
        [OURS, measured(200)],
        [debezium, measured(50)],
      ]),
    );
    const table = lines.filter((line) => line.startsWith('|'));
    const columns = table.map((line) => line.split('|').length);
    expect(new Set(columns).size).toBe(1);
    expect(table.at(-1)).toMatch(/^\| {2}\| debezium \| 50 \|.* 4 messages\/s \|$/);
  });
});

describe('rounds', () => {
  it('let contestants take turns, and another begin each time', async () => {
    const order: string[] = [];
    await playRounds([OURS, debezium, limit], new Map(), 2, ({ name }) => {
      order.push(name);
      return Promise.resolve(figures({}));
    });
    expect(order).toEqual(['outbox-relay', 'debezium', 'client-alone', 'debezium', 'client-alone', 'outbox-relay']);
  });

  it('go on without a peer that fails or is not to be had, and end when the relay fails', async () => {
    const absent = await fetchAll([OURS, { ...limit, fetch: () => Promise.reject(new Error('not to be had')) }]);
    expect([...absent.values()]).toEqual(['not to be had']);
    const play = vi.fn(({ name }: Contestant) =>
      name === 'debezium' ? Promise.reject(new Error('ended')) : Promise.resolve(figures({})),
    );
    const outcomes = await playRounds([OURS, debezium, limit], new Map([[limit, 'not to be had']]), 2, play);
    expect(outcomes.get(debezium)).toEqual({ kind: 'failed', reason: 'ended' });
    expect(outcomes.get(limit)).toEqual({ kind: 'unavailable', reason: 'not to be had' });
    expect(play.mock.calls.map(([{ name }]) => name)).toEqual(['outbox-relay', 'debezium', 'outbox-relay']);
    const failing = () => Promise.reject(new Error('a row is missing'));
    await expect(playRounds([OURS], new Map(), 1, failing)).rejects.toThrow('a row is missing');
  });
});

describe('options', () => {
  const refusal = (...args: string[]): unknown => {
    const silent = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    try {
      return parseOptions(args);
    } catch (error) {
      return error;
    } finally {
      silent.mockRestore();
    }
  };

  it.each([
    ['a case that there is not', ['fast']],
    ['no case', []],
    ['a peer that there is not', ['drain', '--peers', 'debezium,kafka-connect']],
    ['no rows', ['drain', '--rows', '0']],
    ['a broker that there is not', ['drain', '--broker', 'nats']],
  ])('refuse %s', (_, args) => {
    expect(refusal(...args)).toBeInstanceOf(CommanderError);
  });

  it('scale every case by its rows', () => {
    for (const name of CASE_NAMES) {
      const works = CASES[name].works(parseOptions([name, '--rows', '1000']));
      expect(Math.max(...works.map(({ rows }) => rows))).toBe(1000);
      expect(new Set(works.map(({ label }) => label)).size).toBe(works.length);
    }
  });

  it('choose peers', () => {
    expect(parseOptions(['drain', '--peers', 'debezium,client-alone']).peers).toEqual(['debezium', 'client-alone']);
    expect(parseOptions(['drain']).peers).toEqual(Object.keys(PEERS));
  });
});
