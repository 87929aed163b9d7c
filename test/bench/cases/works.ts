import type { BenchOptions } from '../options.ts';
import { type RowShape, USUAL_ROWS } from '../rows.ts';
import type { Work } from './case.ts';

const FILLING_CONNECTIONS = 2;
const PACING_CONNECTIONS = 2;
const WARM_UP_MS = 1000;

const PLAIN = {
  label: '',
  held: false,
  listen: false,
  warmUpMs: 0,
  idleMs: 0,
  server: false,
  trouble: 'none',
} as const;

/** What distinguishes a piece of work from what is usual. */
export interface Particulars extends Partial<Omit<Work, 'shape' | 'rows' | 'write' | 'written'>> {
  readonly rows: number;
  readonly shape?: Partial<RowShape>;
  /** Rows a transaction. @default 1 */
  readonly perTransaction?: number;
}

/** Rows that wait in the table when the contestant is started. */
export function backlog({ shape, perTransaction = 1, ...particulars }: Particulars): Work {
  return {
    ...PLAIN,
    ...particulars,
    shape: { ...USUAL_ROWS, ...shape },
    written: 'before',
    write: (database, rows) => database.write(rows, perTransaction, FILLING_CONNECTIONS, { synchronousCommit: 'off' }),
  };
}

/** Rows that are written as fast as can be, while the contestant streams. */
export function flood(
  { shape, perTransaction = 1, ...particulars }: Particulars,
  { writers, synchronousCommit, held }: Pick<BenchOptions, 'writers' | 'synchronousCommit' | 'held'>,
): Work {
  return {
    ...PLAIN,
    ...particulars,
    held,
    shape: { ...USUAL_ROWS, ...shape },
    written: 'during',
    write: (database, rows) => database.write(rows, perTransaction, writers, { synchronousCommit }),
  };
}

/** Rows that are written one a transaction at a fixed rate, while the contestant streams. */
export function paced(
  { shape, ...particulars }: Omit<Particulars, 'perTransaction'>,
  perSecond: number,
  { synchronousCommit }: Pick<BenchOptions, 'synchronousCommit'>,
): Work {
  return {
    ...PLAIN,
    listen: true,
    warmUpMs: Math.min(WARM_UP_MS, (particulars.rows / perSecond) * 100),
    ...particulars,
    shape: { ...USUAL_ROWS, ...shape },
    written: 'during',
    write: (database, rows) => database.pace(rows, perSecond, PACING_CONNECTIONS, { synchronousCommit }),
  };
}
