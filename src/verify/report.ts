/** What `outbox-relay verify` reports. Times are ISO 8601 in UTC. */

/** Ids of one kind: how many, and the first of them. */
export interface Findings<Example> {
  readonly count: number;
  readonly examples: readonly Example[];
}

/** Published, by the record, and not at the broker. */
export interface MissingId {
  readonly position: bigint;
  readonly id: string;
  readonly key: string | null;
  /** Topic, or exchange and routing key. */
  readonly address: string;
  readonly publishedAt: string;
}

/** At the broker more than once. */
export interface DuplicatedId {
  readonly id: string;
  /** How many there are beside the first. */
  readonly copies: number;
  /** Of one of the copies. */
  readonly where: string;
}

/** First at the broker behind a row of its key that has a higher position. */
export interface OutOfOrderId {
  readonly id: string;
  readonly position: bigint;
  /** The highest position of its key that was there before. */
  readonly behind: bigint;
}

/** What the comparison of one destination came to; null is what cannot be said without a record of published ids. */
export interface ComparisonResult {
  /** Messages read that carry an id. */
  readonly messages: number;
  /** Different ids among them. */
  readonly ids: number;
  /** Ids that were published in the window, by the record. */
  readonly recorded: number | null;
  readonly missing: Findings<MissingId> | null;
  /** Absent, where the broker may have dropped them as it is set up to. */
  readonly notRetained: number;
  readonly duplicated: Findings<DuplicatedId> & { readonly copies: number };
  readonly outOfOrder: Findings<OutOfOrderId>;
  /** In the window, and neither in the record nor in the table. */
  readonly unexpected: Findings<string> | null;
}

/** One destination's part of the report. */
export interface DestinationReport extends ComparisonResult {
  readonly destination: string;
  /** What was read: topics, or a queue. */
  readonly read: readonly string[];
  readonly window: { readonly since: string; readonly until: string };
  /** Messages without an id: not from a relay. */
  readonly foreign: number;
  /** Rows of the destination that are parked. */
  readonly parkedRows: number;
  /** What was not judged and why, in sentences. */
  readonly notJudged: readonly string[];
}

/** The whole report. */
export interface VerifyReport {
  /** Nothing is missing and nothing out of order; with `--strict`, nothing is duplicated or unexpected either. */
  readonly ok: boolean;
  /** Rows of all destinations that are neither published nor parked. */
  readonly waitingRows: number;
  /** They were too many to be counted. */
  readonly waitingRowsEstimated: boolean;
  readonly destinations: readonly DestinationReport[];
}

/** Whether a destination is as it should be. */
export function isSound(report: ComparisonResult, strict: boolean): boolean {
  if ((report.missing?.count ?? 0) > 0 || report.outOfOrder.count > 0) return false;
  return !strict || (report.duplicated.count === 0 && (report.unexpected?.count ?? 0) === 0);
}
