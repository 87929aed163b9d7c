import type { StreamedTransaction } from '../../core/capture.ts';
import { RelayError } from '../../core/errors.ts';
import type { Lsn } from '../../core/lsn.ts';
import type { OutboxRow } from '../../core/row.ts';
import { type BeginMessage, type CommitMessage, protocolError } from './pgoutput-decoder.ts';
import type { DecodedRow } from './row-decoder.ts';

/**
 * Collects the rows of the transaction that is being received. With protocol version 1 there is at most one, and it
 * arrives as a whole, after its commit. Pure.
 */
export class TransactionAssembler {
  readonly #maxBytes: number;
  #begin: BeginMessage | null = null;
  #rows: OutboxRow[] = [];
  #bytes = 0;

  /** @param maxBytes what one transaction's rows may take in memory */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  begin(begin: BeginMessage): void {
    if (this.#begin !== null) throw protocolError('a transaction began inside another');
    this.#begin = begin;
  }

  /** The open transaction. @throws RelayError `replication_protocol` when there is none */
  get current(): BeginMessage {
    if (this.#begin === null) throw protocolError('a row or commit outside of a transaction');
    return this.#begin;
  }

  /** @throws RelayError `buffer_full` when the transaction passes its limit; what was collected is then forgotten */
  add({ row, bytes }: DecodedRow): void {
    this.#bytes += bytes;
    if (this.#bytes > this.#maxBytes) {
      this.#rows = [];
      throw new RelayError(
        'buffer_full',
        `transaction ${this.current.xid} has more rows than fit into ${this.#maxBytes} bytes of memory`,
      );
    }
    this.#rows.push(row);
  }

  /** Ends the open transaction and hands it over; null when it has no rows. */
  commit(commit: CommitMessage): StreamedTransaction | null {
    const { xid, commitLsn, committedAt } = this.current;
    if (commit.commitLsn !== commitLsn) throw protocolError('a Commit that belongs to another Begin');
    const transaction = { xid, commitLsn, committedAt, rows: this.#rows, bytes: this.#bytes };
    this.#begin = null;
    if (transaction.rows.length === 0) return null;
    this.#rows = [];
    this.#bytes = 0;
    return transaction;
  }

  /**
   * How far the stream has come, given that the server has read the log as far as `walEnd`: every transaction whose
   * commit record starts below the result has been handed over. While a transaction is being received, that is at most
   * the start of its own commit record.
   */
  reached(walEnd: Lsn): Lsn {
    const begin = this.#begin;
    return begin !== null && begin.commitLsn < walEnd ? begin.commitLsn : walEnd;
  }
}
