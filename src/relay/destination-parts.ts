import type { TableReader } from '../core/capture.ts';
import type { Router } from '../core/routing.ts';
import type { OutletParts } from './outlet.ts';
import type { PassBounds } from './pass.ts';

/** What a destination is made of. */
export interface DestinationParts extends OutletParts {
  /** This destination's own: at most one pass of it is open at a time. */
  readonly reader: TableReader;
  readonly router: Router;
  readonly stream: StreamUse;
  /** Whether the reader leaves out in SQL the rows that wait behind a parked key. */
  readonly keysInSql: boolean;
}

/** Bounds and times of a destination. */
export interface DestinationOptions {
  readonly pass: PassBounds;
  /** Milliseconds between passes while polling. */
  readonly pollIntervalMs: number;
  /** A backlog of at most so many rows is small enough to begin a handover, and to end it. */
  readonly handoverRows: number;
  /** False when `capture.mode` is `polling`. */
  readonly streamAllowed: boolean;
}

/** What a destination needs of the stream that all of them share. */
export interface StreamUse {
  readonly open: boolean;
  /** The destination's state has changed: the stream may be needed now, or not any more. */
  needsChanged(): void;
  /** Whether there is room has changed for a destination that takes the stream. */
  roomChanged(destination: string): void;
}
