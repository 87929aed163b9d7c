import type pg from 'pg';
import { backoffDelay } from '../core/backoff.ts';
import type { RelayError } from '../core/errors.ts';
import { pause } from '../core/pause.ts';
import { closeConnection } from '../postgres/connection.ts';
import { withinDeadline } from '../postgres/deadline.ts';
import { postgresError } from '../postgres/error.ts';
import { type Board, drawInstanceNumber, join, leave, readBoard, signSession } from './board.ts';
import { holdLayout } from './layout.ts';
import { announce } from './lease.ts';
import { nextStep } from './share.ts';
import { ASK_MS, type CandidateOptions, connectLeader, serveTerm, takeLock, type Term } from './term.ts';

/** Who is told how the shards are shared out. */
export interface SharingObserver {
  /** Who is there, and who leads what, as it was seen last; told at every look. */
  seen(board: Board): void;
  elected(shard: number, epoch: bigint): void;
  lost(shard: number, error: RelayError): void;
  /** A shard is handed over to another instance. */
  handedOver(shard: number): void;
  /** The database could not be asked, or relays of another number of shards are there; tried again. */
  failed(error: RelayError): void;
}

/**
 * Leads a shard until the term is lost or `released` is aborted.
 *
 * @returns false when the term could not begin
 */
export type LeadShard = (shard: number, term: Term, released: AbortSignal) => Promise<boolean>;

/** A shard that this instance leads. */
interface Lead {
  readonly released: AbortController;
  readonly over: Promise<void>;
}

const RETRY = { baseMs: 200, maxMs: 5_000 };
/** An instance that could not begin a term leaves the shards to the others for so long. */
const REST_MS = 30_000;

/**
 * Leads a fair share of the shards until `signal` is aborted: those that the others leave, and no more than they have.
 * Each shard has a leader lock, a session and a term of its own, as the one shard of {@link standForElection}.
 *
 * @throws what `lead` throws
 */
export async function shareShards(
  options: CandidateOptions,
  observer: SharingObserver,
  lead: LeadShard,
  signal: AbortSignal,
): Promise<void> {
  const broken = new AbortController();
  const ending = AbortSignal.any([signal, broken.signal]);
  const sharing = new Sharing(options, observer, lead, ending, broken);
  for (let failures = 0; !ending.aborted;) {
    await sharing
      .takePart(() => (failures = 0))
      .catch((error: unknown) => {
        if (!ending.aborted) observer.failed(postgresError(error, 'sharing the shards'));
      });
    await pause(1 + backoffDelay(RETRY, failures++), ending);
  }
  await sharing.ended();
  broken.signal.throwIfAborted();
}

class Sharing {
  readonly #options: CandidateOptions;
  readonly #observer: SharingObserver;
  readonly #lead: LeadShard;
  readonly #signal: AbortSignal;
  readonly #broken: AbortController;
  readonly #self = drawInstanceNumber();
  readonly #leads = new Map<number, Lead>();
  /** By shard, since when nobody has been seen to lead it; by `performance.now()`. */
  readonly #freeSince = new Map<number, number>();
  #restUntil = 0;

  /** @param broken is aborted with what `lead` throws */
  constructor(
    options: CandidateOptions,
    observer: SharingObserver,
    lead: LeadShard,
    signal: AbortSignal,
    broken: AbortController,
  ) {
    this.#options = options;
    this.#observer = observer;
    this.#lead = lead;
    this.#signal = signal;
    this.#broken = broken;
  }

  /** Resolves when all terms have ended. */
  async ended(): Promise<void> {
    await Promise.all([...this.#leads.values()].map(({ over }) => over));
  }

  /** Takes part by one session, until that is lost or `signal` is aborted. @param took called at each look that succeeds */
  async takePart(took: () => void): Promise<void> {
    const { table, layout, leaseMs } = this.#options;
    const client = await connectLeader(this.#options, this.#signal);
    try {
      await withinDeadline(client, leaseMs, announce(client, table));
      for (let held = false, member = false; !this.#signal.aborted;) {
        held ||= await withinDeadline(client, leaseMs, holdLayout(client, this.#options));
        if (held) {
          member = await this.#beMember(client, member);
          const board = await withinDeadline(client, leaseMs, readBoard(client, table, layout.shards));
          took();
          if (await this.#step(board)) continue;
        }
        await pause(Math.min(ASK_MS, leaseMs / 3), this.#signal);
      }
    } finally {
      await closeConnection(client);
    }
  }

  async #beMember(client: pg.Client, member: boolean): Promise<boolean> {
    const wanted = performance.now() >= this.#restUntil;
    if (wanted !== member) {
      const change = wanted ? join : leave;
      await withinDeadline(client, this.#options.leaseMs, change(client, this.#options.table, this.#self));
    }
    return wanted;
  }

  /** @returns whether a shard was taken, so that the next look should not wait */
  async #step(board: Board): Promise<boolean> {
    this.#observer.seen(board);
    const step = nextStep({
      self: this.#self,
      shards: this.#options.layout.shards,
      board,
      own: [...this.#leads.keys()],
      abandoned: this.#abandoned(board),
    });
    if (step === null) return false;
    if ('take' in step) return this.#take(step.take);
    const given = this.#leads.get(step.give)?.released;
    if (given?.signal.aborted === false) {
      this.#observer.handedOver(step.give);
      given.abort();
    }
    return false;
  }

  #abandoned(board: Board): ReadonlySet<number> {
    const now = performance.now();
    for (let shard = 0; shard < this.#options.layout.shards; shard++) {
      if (board.leaders.has(shard)) this.#freeSince.delete(shard);
      else if (!this.#freeSince.has(shard)) this.#freeSince.set(shard, now);
    }
    const abandoned = [...this.#freeSince].filter(([, since]) => now - since >= this.#options.leaseMs);
    return new Set(abandoned.map(([shard]) => shard));
  }

  /** Tries to take a shard that was seen without a leader. @returns whether this instance leads it now */
  async #take(shard: number): Promise<boolean> {
    const options = this.#options;
    const { table, leaseMs } = options;
    // its lock may be free before its term has ended altogether
    if (this.#leads.has(shard)) return false;
    const client = await connectLeader(options, this.#signal);
    try {
      await withinDeadline(client, leaseMs, signSession(client, table, this.#self));
      const held = await withinDeadline(client, leaseMs, holdLayout(client, options));
      const key = { ...options, shard };
      const elected = held ? await takeLock(client, key, options) : null;
      if (elected === null) {
        await closeConnection(client);
        return false;
      }
      this.#observer.elected(shard, elected.epoch);
      const released = new AbortController();
      const lost = (error: RelayError): void => this.#observer.lost(shard, error);
      const over = serveTerm(elected, key, leaseMs, lost, async (term) => {
        if (!(await this.#lead(shard, term, released.signal))) this.#restUntil = performance.now() + REST_MS;
      })
        .catch((error: unknown) => this.#broken.abort(error))
        .finally(() => this.#leads.delete(shard));
      this.#leads.set(shard, { released, over });
      return true;
    } catch (error) {
      await closeConnection(client);
      this.#restUntil = performance.now() + REST_MS;
      throw error;
    }
  }
}
