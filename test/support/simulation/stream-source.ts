import type { Stream, StreamListener, StreamSource } from '../../../src/core/capture.ts';
import { RelayError } from '../../../src/core/errors.ts';
import { pause } from './random.ts';
import { low32, toStreamRow, type Transaction } from './rows.ts';
import type { SimulatedSessions } from './sessions.ts';

interface Conversation {
  paused: boolean;
  closed: boolean;
  /** What it has told, as an index into the log. */
  at: number;
  /** It comes from a server that nobody writes to any more. */
  readonly stray: boolean;
  /** It has passed rows that the publication left out. */
  passedHidden: boolean;
  readonly crashes: number;
}

/**
 * The log lane, as `src/capture/stream` does it: a slot whose creation waits for those who write, whole transactions at
 * their commit records, only what is flushed, only from the server that the SQL sessions are on; over when the
 * publication is found to have left rows out.
 */
export class SimulatedStreamSource implements StreamSource {
  readonly #sessions: SimulatedSessions;
  #slots = 0;

  constructor(sessions: SimulatedSessions) {
    this.#sessions = sessions;
  }

  open(listener: StreamListener, signal: AbortSignal): Promise<Stream> {
    return this.#sessions.gate.call(() => this.#open(listener, signal));
  }

  async #open(listener: StreamListener, signal: AbortSignal): Promise<Stream> {
    const { database, gate, faults } = this.#sessions;
    const { crashes, random } = database;
    const failed = (why: string): RelayError => new RelayError('replication_failed', `simulated: ${why}`);
    const waitedFor = database.writing();
    while (waitedFor.some(({ ended, commitLsn }) => !ended && commitLsn === null)) {
      await pause(1);
      if (signal.aborted || gate.shut) throw failed('given up');
    }
    if (random.chance(faults().openFails)) throw failed('opening a stream');
    if (!this.#sessions.serverLives) throw failed('another life of the server');
    const stray = random.chance(faults().strayStreams);
    if (stray && !this.#sessions.breaks('same-server'))
      throw new RelayError('replication_unavailable', 'simulated: the slot is not on the server of the SQL sessions');
    // what commits between the slot's consistent point and the answer is streamed
    const later = random.below(5);
    await pause(random.below(5));
    if (crashes !== database.crashes) throw failed('the server crashed');
    const conversation = { paused: false, closed: false, at: database.log.length, stray, passedHidden: false, crashes };
    await pause(later);
    gate.whenShut(() => (conversation.closed = true));
    void this.#converse(listener, conversation);
    return {
      slotName: `slot_${++this.#slots}`,
      pause: () => (conversation.paused = true),
      resume: () => (conversation.paused = false),
      close: () => {
        conversation.closed = true;
        return Promise.resolve();
      },
    };
  }

  async #converse(listener: StreamListener, conversation: Conversation): Promise<void> {
    const { database, gate, faults } = this.#sessions;
    const over = (): void => gate.cross(() => listener.ended(new RelayError('replication_failed', 'simulated')));
    for (;;) {
      await pause(1 + database.random.below(database.random.chance(faults().streamLags) ? 30 : 3));
      if (conversation.closed) return;
      if (conversation.crashes !== database.crashes || database.random.chance(faults().streamEnds)) {
        over();
        return;
      }
      if (conversation.paused) continue;
      if (!this.#tell(listener, conversation)) {
        over();
        return;
      }
    }
  }

  /** A few transactions, and how far the log is told. Returns false when the publication has left rows out. */
  #tell(listener: StreamListener, conversation: Conversation): boolean {
    const { database, gate } = this.#sessions;
    const { flushLsn } = database;
    const most = 1 + database.random.below(3);
    for (let told = 0; told < most && !conversation.stray; conversation.at++) {
      const transaction = database.log[conversation.at];
      if (transaction === undefined || transaction.commitLsn === null || transaction.commitLsn >= flushLsn) break;
      if (transaction.rows.length === 0 || (transaction.rolledBack && !this.#sessions.breaks('committed-only')))
        continue;
      if (transaction.hidden) {
        conversation.passedHidden = true;
        continue;
      }
      if (conversation.passedHidden && !this.#sessions.breaks('publication-examined')) return false;
      const whole = streamed(transaction, transaction.commitLsn);
      gate.cross(() => listener.transaction(whole));
      told++;
    }
    const next = database.log[conversation.at]?.commitLsn ?? flushLsn;
    gate.cross(() => listener.progress(next < flushLsn ? next : flushLsn));
    return true;
  }
}

function streamed({ xid, rows }: Transaction, commitLsn: bigint): Parameters<StreamListener['transaction']>[0] {
  return { xid: low32(xid), commitLsn, committedAt: 0, rows: rows.map(toStreamRow), bytes: rows.length };
}
