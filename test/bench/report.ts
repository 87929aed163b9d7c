import type { BenchCase, Work } from './cases/case.ts';
import type { Contestant } from './contestants/contestant.ts';
import type { Machine } from './machine.ts';
import { FIGURES, type FigureName, type Figures, medians, spreads } from './measure/figures.ts';

/** What one contestant came to: the medians, least and greatest, and every round. */
export interface ContestantReport extends Figures {
  readonly role: Contestant['role'];
  readonly spread: Readonly<Record<FigureName, readonly [number, number]>>;
  readonly rounds: readonly Figures[];
}

/** One piece of work. */
export interface WorkReport {
  readonly work: string;
  readonly broker: string;
  readonly rows: number;
  readonly ours: ContestantReport;
  readonly peers: Readonly<Record<string, ContestantReport>>;
  /** The figure that the piece of work is about. */
  readonly ratio: FigureName;
  /** Of that figure, ours over the peer's. */
  readonly ratios: Readonly<Record<string, number>>;
}

/** A case: its first piece of work, and all of them. */
export interface CaseReport extends WorkReport {
  readonly case: string;
  readonly machine: Machine;
  readonly series: readonly WorkReport[];
}

/** Sums up all runs of one piece of work. */
export function workReport(
  about: { readonly ratio: FigureName; readonly broker: string; readonly work: Work },
  runs: ReadonlyMap<Contestant, readonly Figures[]>,
): WorkReport {
  const reports = [...runs].map(([contestant, rounds]) => [contestant, contestantReport(contestant, rounds)] as const);
  const ours = reports.find(([{ role }]) => role === 'relay')?.[1];
  if (ours === undefined) throw new Error('the relay did not take part');
  const others = reports.filter(([{ role }]) => role !== 'relay').map(([{ name }, report]) => [name, report] as const);
  return {
    work: about.work.label,
    broker: about.broker,
    rows: about.work.rows,
    ratio: about.ratio,
    ours,
    peers: Object.fromEntries(others),
    ratios: Object.fromEntries(others.map(([name, report]) => [name, ours[about.ratio] / report[about.ratio]])),
  };
}

/** @throws RangeError without any piece of work */
export function caseReport(name: string, machine: Machine, series: readonly WorkReport[]): CaseReport {
  const [first] = series;
  if (first === undefined) throw new RangeError('a case without work');
  return { case: name, machine, ...first, series };
}

/** The report as a table: a line a contestant, medians with the spread behind them where there were several rounds. */
export function tableLines({ shows, title, name }: BenchCase, report: CaseReport): readonly string[] {
  const heading = ['', ...shows.map((figure) => FIGURES[figure]), 'ours / its'];
  const rows = report.series.flatMap(({ work, broker, rows: count, ours, peers, ratio, ratios }) => [
    [`${work === '' ? '' : `${work}, `}${count} rows to ${broker}`],
    ['  outbox-relay', ...shows.map((figure) => cell(ours, figure)), ''],
    ...Object.entries(peers).map(([peer, figures]) => [
      `  ${peer}`,
      ...shows.map((figure) => cell(figures, figure)),
      `${number(ratios[peer] ?? Number.NaN)} ${FIGURES[ratio]}`,
    ]),
  ]);
  const { cpu, cores, node, postgres, broker, loadBefore } = report.machine;
  return [
    `${name}: ${title}`,
    `${cores} x ${cpu}, Node ${node}, Postgres ${postgres}, ${broker}; load before: ${loadBefore.toFixed(1)}`,
    ...aligned([heading, ...rows]),
  ];
}

function contestantReport({ role }: Contestant, rounds: readonly Figures[]): ContestantReport {
  return { role, ...medians(rounds), spread: spreads(rounds), rounds };
}

function cell({ rounds, spread, ...figures }: ContestantReport, figure: FigureName): string {
  const middle = number(figures[figure]);
  if (rounds.length === 1) return middle;
  const [least, greatest] = spread[figure];
  return `${middle} (${number(least)}-${number(greatest)})`;
}

function number(value: number): string {
  if (!Number.isFinite(value)) return '-';
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
}

/** A row of one cell is a heading, and widens nothing. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows.filter(({ length }) => length > 1)) {
    row.forEach((text, column) => (widths[column] = Math.max(widths[column] ?? 0, text.length)));
  }
  return rows.map((row) =>
    row
      .map((text, column) => (column === 0 ? text.padEnd(widths[0] ?? 0) : text.padStart(widths[column] ?? 0)))
      .join('   ')
      .trimEnd(),
  );
}
