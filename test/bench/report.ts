import type { BenchCase, Work } from './cases/case.ts';
import type { Contestant } from './contestants/contestant.ts';
import type { Machine } from './machine.ts';
import { type FigureName, type Figures, medians, spreads } from './measure/figures.ts';
import type { Outcome } from './rounds.ts';

/** What one contestant came to: the medians, least and greatest, and every round. */
export interface ContestantReport extends Figures {
  readonly role: Contestant['role'];
  /** Fewer than the others for one that would take too long. */
  readonly rows: number;
  readonly spread: Readonly<Record<FigureName, readonly [number, number]>>;
  readonly rounds: readonly Figures[];
}

/** One that has no figures, and why: it could not be fetched, or did not do all of its work. */
export type AbsentReport = { readonly unavailable: string } | { readonly failed: string };

/** One piece of work. */
export interface WorkReport {
  readonly work: string;
  readonly broker: string;
  readonly rows: number;
  readonly ours: ContestantReport;
  readonly peers: Readonly<Record<string, ContestantReport | AbsentReport>>;
  /** The figure that the piece of work is about. */
  readonly ratio: FigureName;
  /** Of that figure, ours over the peer's. */
  readonly ratios: Readonly<Record<string, number>>;
}

/** A case: its first piece of work (the last, where pieces are compared with the first), and all of them. */
export interface CaseReport extends WorkReport {
  readonly case: string;
  readonly machine: Machine;
  readonly series: readonly WorkReport[];
}

/** Whether it took part to the end. */
export function isMeasured(report: ContestantReport | AbsentReport): report is ContestantReport {
  return 'rounds' in report;
}

/** Sums up all runs of one piece of work. */
export function workReport(
  about: { readonly ratio: FigureName; readonly broker: string; readonly work: Pick<Work, 'label' | 'rows'> },
  outcomes: ReadonlyMap<Contestant, Outcome>,
): WorkReport {
  const reports = [...outcomes].map(
    ([contestant, outcome]) => [contestant, reportOf(contestant, outcome, about.work.rows)] as const,
  );
  const ours = reports.find(([{ role }]) => role === 'relay')?.[1];
  if (ours === undefined || !isMeasured(ours)) throw new Error('the relay did not take part');
  const peers = Object.fromEntries(
    reports.filter(([{ role }]) => role !== 'relay').map(([{ name }, report]) => [name, report]),
  );
  return {
    work: about.work.label,
    broker: about.broker,
    rows: about.work.rows,
    ratio: about.ratio,
    ours,
    peers,
    ratios: ratiosOf(about.ratio, ours, peers),
  };
}

/** @throws RangeError without any piece of work */
export function caseReport(
  { name, against }: Pick<BenchCase, 'name' | 'against'>,
  machine: Machine,
  series: readonly WorkReport[],
): CaseReport {
  const [first, ...others] = series;
  if (first === undefined) throw new RangeError('a case without work');
  if (against !== 'first-work') return { case: name, machine, ...first, series };
  const peers = { [first.work]: first.ours };
  const compared = others.map((work) => ({ ...work, peers, ratios: ratiosOf(work.ratio, work.ours, peers) }));
  return { case: name, machine, ...(compared.at(-1) ?? first), series: [first, ...compared] };
}

function ratiosOf(
  ratio: FigureName,
  ours: ContestantReport,
  peers: WorkReport['peers'],
): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(peers).flatMap(([name, report]) =>
      isMeasured(report) ? [[name, ours[ratio] / report[ratio]] as const] : [],
    ),
  );
}

function reportOf(
  { role, mostRows = Infinity }: Contestant,
  outcome: Outcome,
  all: number,
): ContestantReport | AbsentReport {
  switch (outcome.kind) {
    case 'measured':
      return {
        role,
        rows: Math.min(all, mostRows),
        ...medians(outcome.rounds),
        spread: spreads(outcome.rounds),
        rounds: outcome.rounds,
      };
    case 'unavailable':
      return { unavailable: outcome.reason };
    case 'failed':
      return { failed: outcome.reason };
  }
}
