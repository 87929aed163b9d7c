import type pg from 'pg';
import type { Finding } from '../../core/finding.ts';
import type { ShardLayout } from '../../core/sharding.ts';
import type { CatalogTable } from '../catalog.ts';
import type { PostgresOptions } from '../connection.ts';
import type { TableMapping } from '../table.ts';

/** What `check` compares the server with. */
export interface CheckContext {
  readonly mapping: TableMapping;
  /** `capture.publication`. */
  readonly publication: string;
  /** How the outbox is shared out: a publication for each shard. @default one shard */
  readonly sharding?: ShardLayout;
  /** `capture.mode`. What only the log lane needs is a warning with `auto`, and not examined with `polling`. */
  readonly captureMode: 'auto' | 'replication' | 'polling';
  /** `capture.walBudget`. */
  readonly walBudgetBytes: number;
  /** Opens a walsender session as well, which is the only proof that pg_hba.conf and the network allow one; null: not. */
  readonly connection: PostgresOptions | null;
  /**
   * Whether `published.retain` is set: only then the privileges on the table of published ids are needed.
   *
   * @default true: all that `init` grants
   */
  readonly keepsPublished?: boolean;
}

/** What the checks share: all that is known before the first of them. */
export interface CheckSubject extends CheckContext {
  readonly client: pg.Client;
  /** `server_version_num`. */
  readonly version: number;
  /** The role that is examined: the one of the session. */
  readonly role: string;
  readonly table: CatalogTable;
}

/** What was found in order. */
export function ok(subject: string, message: string): Finding {
  return { status: 'ok', subject: `postgres.${subject}`, message };
}

/** What the relay cannot work with. */
export function failed(subject: string, message: string, remedy: string): Finding {
  return { status: 'error', subject: `postgres.${subject}`, message, remedy };
}

/** What works, though not as it should. */
export function warned(subject: string, message: string, remedy: string): Finding {
  return { ...failed(subject, message, remedy), status: 'warning' };
}

/** What stands in the way of the log lane only: with `capture.mode: auto` the relay polls instead. */
export function hindersReplication(
  { captureMode }: CheckContext,
  subject: string,
  message: string,
  remedy: string,
): Finding {
  return captureMode === 'replication'
    ? failed(subject, message, remedy)
    : warned(subject, `${message}; the relay polls the table instead`, remedy);
}
