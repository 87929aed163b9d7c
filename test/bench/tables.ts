import type { BenchCase } from './cases/case.ts';
import { FIGURES, type FigureName } from './measure/figures.ts';
import { type AbsentReport, type CaseReport, type ContestantReport, isMeasured, type WorkReport } from './report.ts';

/** What the work cost the server, beyond writing the rows; divided by the rows. */
const SERVER_FIGURES: readonly FigureName[] = [
  'postgresCpuMicrosPerMessage',
  'walBytesPerMessage',
  'tableBytesPerMessage',
  'cleanupCpuMicrosPerMessage',
  'cleanupWalBytesPerMessage',
];

/** A report for a terminal: a line a contestant, medians with the spread behind them where there were several rounds. */
export function textLines(each: BenchCase, report: CaseReport): readonly string[] {
  const tables = tablesOf(each, report).map(({ heading, groups }) =>
    aligned([
      heading,
      ...groups.flatMap(({ title, rows }) => [
        [title],
        ...rows.map(([first = '', ...rest]) => [`  ${first}`, ...rest]),
      ]),
    ]),
  );
  return [`${each.name}: ${each.title}`, machineLine(report), ...tables.flatMap((lines) => ['', ...lines])];
}

/** The same in Markdown, to be pasted into docs/performance.md. */
export function markdownLines(each: BenchCase, report: CaseReport): readonly string[] {
  const tables = tablesOf(each, report).map(({ heading, groups }) => [
    line(['', ...heading]),
    line(['', ...heading].map((_, column) => (column < 2 ? '---' : '--:'))),
    ...groups.flatMap(({ title, rows }) => rows.map((cells, index) => line([index === 0 ? title : '', ...cells]))),
  ]);
  return [`**${each.name}**: ${each.title}. ${machineLine(report)}`, ...tables.flatMap((lines) => ['', ...lines])];
}

interface Table {
  /** The first column has the contestants' names. */
  readonly heading: readonly string[];
  readonly groups: readonly { readonly title: string; readonly rows: readonly (readonly string[])[] }[];
}

function tablesOf({ shows }: BenchCase, { series }: CaseReport): readonly Table[] {
  const main: Table = {
    heading: ['', ...shows.map((figure) => FIGURES[figure]), 'ours / its'],
    groups: series.map((work) => ({ title: titleOf(work), rows: contestantRows(work, shows, true) })),
  };
  const counted = series.filter(({ ours }) => Number.isFinite(ours.postgresCpuMicrosPerMessage));
  if (counted.length === 0) return [main];
  const server: Table = {
    heading: ["Postgres' side, a row", ...SERVER_FIGURES.map((figure) => FIGURES[figure])],
    groups: counted.map((work) => ({ title: titleOf(work), rows: contestantRows(work, SERVER_FIGURES, false) })),
  };
  return [main, server];
}

function titleOf({ work, rows, broker }: WorkReport): string {
  return `${work === '' ? '' : `${work}, `}${rows.toLocaleString('en')} rows to ${broker}`;
}

function contestantRows(work: WorkReport, shows: readonly FigureName[], all: boolean): (readonly string[])[] {
  const { ours, peers, ratio, ratios } = work;
  const others = Object.entries(peers).filter(([, report]) => all || (isMeasured(report) && report.role === 'peer'));
  return [
    ['outbox-relay', ...shows.map((figure) => cell(ours, figure)), ...(all ? [''] : [])],
    ...others.map(([name, report]) => {
      if (!isMeasured(report)) return [name, why(report)];
      const compared = `${number(ratios[name] ?? Number.NaN)} ${FIGURES[ratio]}`;
      return [labelOf(name, report, work), ...shows.map((figure) => cell(report, figure)), ...(all ? [compared] : [])];
    }),
  ];
}

/** Says when it did not do all of it. */
function labelOf(name: string, { rows }: ContestantReport, work: WorkReport): string {
  return rows === work.rows ? name : `${name} (${rows.toLocaleString('en')} rows)`;
}

/** In one line: reasons come with the output of programs. */
function why(report: AbsentReport): string {
  const [kind, reason] = 'failed' in report ? ['failed', report.failed] : ['unavailable', report.unavailable];
  return `${kind}: ${reason.split(/\n|; what it printed/)[0] ?? ''}`.slice(0, 120);
}

function machineLine({ machine }: CaseReport): string {
  const { cpu, cores, node, postgres, broker, loadBefore } = machine;
  return `${cores} x ${cpu}, Node ${node}, Postgres ${postgres}, ${broker}; load before: ${loadBefore.toFixed(1)}`;
}

function cell({ rounds, spread, ...figures }: ContestantReport, figure: FigureName): string {
  const middle = number(figures[figure]);
  if (rounds.length === 1) return middle;
  const [least, greatest] = spread[figure];
  return `${middle} (${number(least)}-${number(greatest)})`;
}

function number(value: number): string {
  if (!Number.isFinite(value)) return '-';
  return Math.abs(value) >= 100 || Number.isInteger(value)
    ? Math.round(value).toLocaleString('en')
    : value.toPrecision(3);
}

function line(cells: readonly string[]): string {
  return `| ${cells.map((text) => text.replaceAll('|', '\\|')).join(' | ')} |`;
}

/** A row of one or two cells is a heading or a remark, and widens nothing. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows.filter(({ length }) => length > 2)) {
    row.forEach((text, column) => (widths[column] = Math.max(widths[column] ?? 0, text.length)));
  }
  return rows.map((row) =>
    row
      .map((text, column) => (column === 0 ? text.padEnd(widths[0] ?? 0) : text.padStart(widths[column] ?? 0)))
      .join('   ')
      .trimEnd(),
  );
}
