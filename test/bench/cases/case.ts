import type { BenchDatabase } from '../database.ts';
import type { FigureName } from '../measure/figures.ts';
import type { BenchOptions } from '../options.ts';
import type { CaseName } from './names.ts';

/** One piece of work that every contestant does. */
export interface Work {
  /** What distinguishes it from the other pieces of its case, such as `1,000 rows/s`; empty when there is only one. */
  readonly label: string;
  readonly rows: number;
  /** `before`: the rows wait in the table when the contestant is started. `during`: it streams already. */
  readonly written: 'before' | 'during';
  /** The contestant stands still while the rows are written. */
  readonly held: boolean;
  /** What the ratio is of, where it is not that of the case. */
  readonly ratio?: FigureName;
  /** Messages are taken from the broker as they come, so that their latency is known. */
  readonly listen: boolean;
  /** Rows inserted in the first so many milliseconds do not count for latencies. */
  readonly warmUpMs: number;
  write(database: BenchDatabase): Promise<void>;
}

/** A case: work in one or more pieces, and what is looked at. */
export interface BenchCase {
  readonly name: CaseName;
  readonly title: string;
  /** Whom the relay is compared with: others, or itself in better circumstances. */
  readonly against: 'others' | 'itself';
  /** Whether sending out of memory, as fast as can be, says anything about it. */
  readonly hasLimit: boolean;
  /** What the ratios are of. */
  readonly ratio: FigureName;
  /** What the table shows. */
  readonly shows: readonly FigureName[];
  works(options: BenchOptions): readonly Work[];
}
