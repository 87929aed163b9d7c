import type { ParkedMark } from './store.ts';

/** A parked row as it is told: what is known of it without what it holds. */
export interface ParkedRow extends ParkedMark {
  readonly parkedAt: Date;
}

/** Which parked rows are meant; all conditions given must hold, none means all. */
export interface ParkedSelection {
  readonly destination?: string;
  readonly key?: string;
  readonly code?: string;
  /** Part of the reason, upper and lower case being the same. */
  readonly reason?: string;
  readonly id?: string;
  readonly position?: bigint;
  /** Parked then or before, as {@link ParkedOverview.asOf} tells it: what has been parked since is not meant. */
  readonly parkedUntil?: string;
}

/** Parked rows that have destination and error code in common. */
export interface ParkedGroup {
  readonly destination: string;
  readonly code: string;
  readonly rows: number;
}

/** All parked rows at one moment. */
export interface ParkedOverview {
  /** That moment by the database's clock, to the microsecond. */
  readonly asOf: string;
  /** The largest first. */
  readonly groups: readonly ParkedGroup[];
}
