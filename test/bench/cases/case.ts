import type { BrokerName } from '../brokers/broker.ts';
import type { BenchDatabase } from '../database.ts';
import type { FigureName } from '../measure/figures.ts';
import type { BenchOptions } from '../options.ts';
import type { RowShape } from '../rows.ts';
import type { TroubleName } from '../trouble.ts';
import type { CaseName } from './names.ts';

/** One piece of work that every contestant does. */
export interface Work {
  /** What distinguishes it from the other pieces of its case, such as `1,000 rows/s`; empty when there is only one. */
  readonly label: string;
  readonly rows: number;
  readonly shape: RowShape;
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
  /** What is wrong with the broker meanwhile; only for rows that are written before. */
  readonly trouble: TroubleName;
  /** How long the contestant is watched doing nothing, when its work is done. */
  readonly idleMs: number;
  /** Whether what it costs the server is told; then the table is cleaned up as well. */
  readonly server: boolean;
  /** @param rows for a contestant that gets fewer */
  write(database: BenchDatabase, rows: number): Promise<void>;
}

/** A case: work in one or more pieces, and what is looked at. */
export interface BenchCase {
  readonly name: CaseName;
  readonly title: string;
  /** Where it is published to, whatever the options say. */
  readonly broker?: BrokerName;
  /** Whom the relay is compared with: others, itself in better circumstances or as one process, or itself at the first piece of work. */
  readonly against: 'others' | 'itself' | 'one-process' | 'first-work';
  /** Whose figures say where the limit is: those who only send, or only read the log. */
  readonly limit?: 'sends' | 'reads';
  /** What the ratios are of. */
  readonly ratio: FigureName;
  /** What the table shows. */
  readonly shows: readonly FigureName[];
  works(options: BenchOptions): readonly Work[];
}
