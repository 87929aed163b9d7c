import { once } from 'node:events';
import type pg from 'pg';
import type { Stream, StreamListener } from '../../core/capture.ts';
import { RelayError } from '../../core/errors.ts';
import type { Lsn } from '../../core/lsn.ts';
import type { OutboxRow } from '../../core/row.ts';
import type { OutboxTable } from '../../core/table.ts';
import { closeConnection, destroyConnection } from '../../postgres/connection.ts';
import { quoteIdentifier, quoteReplicationLiteral } from '../../postgres/identifier.ts';
import { succeedsWithin } from './deadline.ts';
import { decodePgoutput, type PgoutputMessage } from './pgoutput-decoder.ts';
import { decodeKeepalive, KEEPALIVE, XLOG_DATA, XLOG_DATA_HEADER_BYTES } from './replication-messages.ts';
import { RowDecoder } from './row-decoder.ts';
import { StandbyReporter } from './standby-reporter.ts';
import type { StreamTimings } from './stream-timing.ts';
import { TransactionAssembler } from './transaction-assembler.ts';
import { type WalsenderConnection, walsenderConnection } from './walsender-connection.ts';

/** What a stream is made of. It owns the walsender from its construction on. */
export interface WalsenderStreamParts {
  readonly walsender: pg.Client;
  readonly slotName: string;
  /** The slot's consistent point: as far as there is nothing to be received. */
  readonly startLsn: Lsn;
  readonly table: OutboxTable;
  readonly publication: string;
  readonly maxTransactionBytes: number;
  /** Which rows are wanted; null: all that the publication brings. */
  readonly belongs: ((row: OutboxRow) => boolean) | null;
  readonly timings: StreamTimings;
  readonly listener: StreamListener;
  /** Rejects when the publication is not what it was when the stream was opened. */
  readonly examinePublication: () => Promise<void>;
  /** What went wrong with the conversation, as an error for the relay. May have to be asked for; never rejects. */
  readonly explain: (error: unknown) => RelayError | Promise<RelayError>;
  /**
   * Releases what belongs to the stream beside the walsender, within about a second.
   *
   * @param slotMayRemain the walsender was cut off and may not have noticed
   */
  readonly release: (slotMayRemain: boolean) => Promise<void>;
}

/** So long the server may take to end the conversation, and then the connection, in milliseconds. */
const FAREWELL_MS = 500;

/**
 * A conversation with a walsender, from START_REPLICATION to CopyDone.
 *
 *     starting ── replicationStart ──> started ── next turn of the event loop ──> live <──> examining
 *         └──────────────────────── fail() or close(), from each ───────────────────┴──> over
 *
 * What arrives before it is live is kept, so that nobody is told anything before they hold the stream.
 *
 * The log describes the table before its first row, and again after anything has changed about it: above all, after the
 * publication did not cover the table for a while. Rows of that time are not in the log, and newer ones of their keys
 * must not be published before them: the publication is examined before what follows is taken.
 */
export class WalsenderStream implements Stream {
  readonly slotName: string;
  readonly #parts: WalsenderStreamParts;
  readonly #connection: WalsenderConnection;
  readonly #decoder: RowDecoder;
  readonly #assembler: TransactionAssembler;
  #phase: 'starting' | 'started' | 'live' | 'examining' | 'over' = 'starting';
  #early: Buffer[] = [];
  #received: Lsn;
  #paused = false;
  #closed = false;
  #reporter: StandbyReporter | null = null;
  #conversation: Promise<unknown> = Promise.resolve();
  #released: Promise<void> | null = null;

  constructor(parts: WalsenderStreamParts) {
    this.slotName = parts.slotName;
    this.#parts = parts;
    this.#connection = walsenderConnection(parts.walsender);
    this.#decoder = new RowDecoder(parts.table);
    this.#assembler = new TransactionAssembler(parts.maxTransactionBytes);
    this.#received = parts.startLsn;
  }

  /** Starts the conversation. @throws what the server answers instead */
  async start(): Promise<void> {
    this.#connection.on('copyData', ({ chunk }) => this.#take(chunk));
    const started = once(this.#connection, 'replicationStart');
    // A slot starts from its own position; naming one could only skip something.
    this.#conversation = this.#parts.walsender.query(
      `START_REPLICATION SLOT ${quoteIdentifier(this.slotName)} LOGICAL 0/0 (proto_version '1', publication_names ${this.#publicationNames()})`,
    );
    const ended = this.#conversation.then(() => {
      throw new RelayError('replication_failed', 'the server ended the replication stream');
    });
    ended.catch((error: unknown) => this.fail(error));
    await Promise.race([started, ended]);
    this.#phase = 'started';
    this.#startReporting();
    setImmediate(() => this.#goLive());
  }

  pause(): void {
    if (this.#paused || this.#phase === 'over') return;
    this.#paused = true;
    this.#readOrWait();
  }

  resume(): void {
    if (!this.#paused || this.#phase === 'over') return;
    this.#paused = false;
    this.#readOrWait();
  }

  /** Ends the stream for a reason; the listener hears of it when it holds the stream already. */
  fail(error: unknown): void {
    const phase = this.#phase;
    if (phase === 'over') return;
    this.#silence();
    // Whoever waits for start() hears of it there, and cleans up.
    if (phase === 'starting') return;
    destroyConnection(this.#parts.walsender);
    const explained = this.#parts.explain(error);
    this.#released ??= this.#parts.release(true);
    const tell = (reason: RelayError): void => {
      if (!this.#closed) this.#parts.listener.ended(reason);
    };
    if (explained instanceof Promise) void explained.then((reason) => setImmediate(tell, reason));
    else if (phase === 'live' || phase === 'examining') tell(explained);
    else setImmediate(tell, explained);
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#released ??= this.#sayGoodbye();
    return this.#released;
  }

  async #sayGoodbye(): Promise<void> {
    this.#silence();
    // The answer lies behind what has not been read yet.
    this.#connection.stream.resume();
    this.#connection.endCopyFrom();
    const answered = await succeedsWithin(FAREWELL_MS, this.#conversation);
    // The server closes the connection when the backend has ended, and the slot with it.
    if (answered) await closeConnection(this.#parts.walsender, FAREWELL_MS);
    else destroyConnection(this.#parts.walsender);
    await this.#parts.release(!answered);
  }

  #silence(): void {
    this.#phase = 'over';
    this.#early = [];
    this.#reporter?.stop();
  }

  #startReporting(): void {
    const { stream } = this.#connection;
    this.#reporter = new StandbyReporter(
      {
        received: () => this.#received,
        bytesHeard: () => stream.bytesRead,
        paused: () => this.#paused || this.#phase === 'examining',
        send: (message) => this.#connection.sendCopyFromChunk(message),
        dead: (silentForMs) => this.fail(silence(silentForMs)),
      },
      this.#parts.timings,
    );
  }

  #goLive(): void {
    if (this.#phase !== 'started' && this.#phase !== 'examining') return;
    this.#phase = 'live';
    this.#readOrWait();
    const early = this.#early;
    this.#early = [];
    for (const chunk of early) this.#take(chunk);
  }

  #take(chunk: Buffer): void {
    if (this.#phase === 'over') return;
    if (this.#phase !== 'live') {
      this.#early.push(Buffer.from(chunk));
      return;
    }
    try {
      if (chunk[0] === XLOG_DATA) this.#takeMessage(decodePgoutput(chunk, XLOG_DATA_HEADER_BYTES), chunk);
      else if (chunk[0] === KEEPALIVE) this.#takeKeepalive(chunk);
      else throw new RelayError('replication_protocol', `unknown replication message ${String(chunk[0])}`);
    } catch (error) {
      // Whatever else is thrown comes from the listener, which must not.
      this.fail(
        error instanceof RelayError ? error : new RelayError('internal', 'taking in the log', { cause: error }),
      );
    }
  }

  #takeMessage(message: PgoutputMessage, chunk: Buffer): void {
    switch (message.kind) {
      case 'begin':
        this.#assembler.begin(message);
        return;
      case 'insert': {
        const row = this.#decoder.row(chunk, message, this.#assembler.current);
        if (row !== null && this.#parts.belongs?.(row.row) !== false) this.#assembler.add(row);
        return;
      }
      case 'commit': {
        const transaction = this.#assembler.commit(message);
        if (transaction !== null) this.#parts.listener.transaction(transaction);
        this.#advance(message.endLsn);
        return;
      }
      case 'relation':
        if (this.#decoder.relation(message)) this.#examine();
        return;
      case 'ignored':
        return;
    }
  }

  #examine(): void {
    this.#phase = 'examining';
    this.#readOrWait();
    this.#parts.examinePublication().then(
      () => this.#goLive(),
      (error: unknown) => this.fail(error),
    );
  }

  #readOrWait(): void {
    const { stream } = this.#connection;
    if (this.#paused || this.#phase === 'examining') stream.pause();
    else stream.resume();
  }

  #takeKeepalive(chunk: Buffer): void {
    const { walEnd, replyRequested } = decodeKeepalive(chunk);
    this.#advance(this.#assembler.reached(walEnd));
    if (replyRequested) this.#reporter?.reply();
  }

  #advance(lsn: Lsn): void {
    if (lsn <= this.#received || this.#phase !== 'live') return;
    this.#received = lsn;
    this.#parts.listener.progress(lsn);
  }

  /** A list of quoted names inside a text constant. */
  #publicationNames(): string {
    return quoteReplicationLiteral(quoteIdentifier(this.#parts.publication));
  }
}

function silence(milliseconds: number): RelayError {
  const seconds = Math.round(milliseconds / 1000);
  return new RelayError('replication_failed', `the server has not sent anything for ${seconds} seconds`);
}
