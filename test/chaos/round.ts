import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../support/services/until.ts';
import { account, faults as problemsOf } from '../support/workload/accounting.ts';
import { startWorkload, type Workload, type Written } from '../support/workload/workload.ts';
import type { Lane } from './faults/fault.ts';
import { FAULTS } from './faults/index.ts';
import type { PlannedFault, RoundPlan } from './plan.ts';
import type { Services } from './services.ts';
import { openStage, type PeerName, type Stage } from './stage.ts';

/** How a round went. */
export interface RoundResult {
  readonly plan: RoundPlan;
  /** What breaks a promise, in words; empty when the round is good. */
  readonly problems: readonly string[];
  /** Events that were committed, and so had to arrive. */
  readonly committed: number;
  /** Committed events that have not arrived. */
  readonly missing: number;
  /** Messages of events that were not committed. */
  readonly phantoms: number;
  /** First occurrences behind a later event of their key. */
  readonly disorder: number;
  /** Messages beyond the first of their event. */
  readonly duplicates: number;
  /** Events known to be committed that failovers took back. */
  readonly lost: number;
  /** Events that had arrived before a failover took them back: no relay can help that. */
  readonly takenBack: number;
  /** Whether streaming went on without a break through the quiet phase. */
  readonly steady: boolean;
  /** How often a peer ended by itself and was started again. */
  readonly restarts: number;
  /** How often a peer got stuck and was started anew. */
  readonly rescues: number;
  /** Bytes of log that the server kept for the relays at the end. */
  readonly retained: number;
  /** When each fault began and was mended, in milliseconds of the round. */
  readonly timeline: readonly string[];
  readonly elapsedMs: number;
}

type Outcome = Omit<RoundResult, 'plan' | 'timeline' | 'elapsedMs'>;

const NOTHING: Omit<Outcome, 'problems'> = {
  committed: 0,
  missing: 0,
  phantoms: 0,
  disorder: 0,
  duplicates: 0,
  lost: 0,
  takenBack: 0,
  steady: false,
  restarts: 0,
  rescues: 0,
  retained: 0,
};

type Note = (what: string) => void;

const DRAIN_TIMEOUT_MS = 120_000;
/** Of the busy phases. */
const WRITERS = 4;
/** Written after the faults, before the writers rest. */
const PROGRESS = 100;
const QUIET = { writers: 2, pauseMs: 80 };

/**
 * Plays one round. Never throws for what a relay does.
 *
 * @param folder gets the relays' logs
 * @param peer played in the place of this project's relay
 */
export async function playRound(
  services: Services,
  plan: RoundPlan,
  folder: string,
  peer?: PeerName,
): Promise<RoundResult> {
  const started = performance.now();
  const timeline: string[] = [];
  const note: Note = (what) => void timeline.push(`${Math.round(performance.now() - started)} ms ${what}`);
  const outcome = await setUpAndPlay(() => openStage(services, plan, folder, peer), plan, note).catch(
    (error: unknown): Outcome => {
      note('the round broke off');
      return { ...NOTHING, problems: [messageOf(error)] };
    },
  );
  return { ...outcome, plan, timeline, elapsedMs: Math.round(performance.now() - started) };
}

async function setUpAndPlay(open: () => Promise<Stage>, plan: RoundPlan, note: Note): Promise<Outcome> {
  const stage = await open();
  try {
    const outcome = await play(stage, plan, note);
    return { ...outcome, problems: [...outcome.problems, ...stage.relays.offences] };
  } catch (error) {
    throw new Error([messageOf(error), ...stage.relays.offences].join('\n'), { cause: error });
  } finally {
    // what could not be cleared away is no worse than what made the round fail
    await stage.clear().catch((error: unknown) => note(`not cleared away: ${messageOf(error)}`));
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function play(stage: Stage, plan: RoundPlan, note: Note): Promise<Outcome> {
  const { relays } = stage;
  const patience = new Patience(stage, note);
  const busy = await playBusy(stage, plan, patience, note);
  await patience.have(() => drained(stage));
  note('drained');
  const before = await relays.untilStreaming();
  const quiet = await writing(stage, plan.seed + 1, QUIET, () => delay(plan.quietMs));
  await patience.have(() => drained(stage));
  const after = await relays.untilStreaming();
  note('accounting');
  const rolledBack = new Set([...busy.rolledBack, ...quiet.rolledBack]);
  const written = { ...quiet, rolledBack, takenBack: busy.takenBack };
  const found = account(written, await stage.sink.arrived());
  const retained = await stage.retained();
  return {
    committed: written.committed.length,
    missing: found.missing.length,
    phantoms: found.phantoms.length,
    disorder: found.disorder.length,
    duplicates: found.duplicates.length,
    lost: busy.lost,
    takenBack: found.takenBack.length,
    steady: before.pid === after.pid && before.since === after.since,
    restarts: relays.restarts,
    rescues: patience.rescues,
    retained,
    problems: [
      ...problemsOf(found, plan.faults.length === 0 ? 'none' : 'permitted'),
      ...patience.lost,
      ...(await relays.stop()),
    ],
  };
}

/** From the first event to the last after all faults. */
function playBusy(stage: Stage, plan: RoundPlan, patience: Patience, note: Note): Promise<Written> {
  const mayLose = plan.faults.some(({ name }) => FAULTS[name].losesCommits === true);
  const early = plan.faults.filter(({ name }) => FAULTS[name].prepare !== undefined);
  const late = plan.faults.filter((fault) => !early.includes(fault));
  const options = { writers: WRITERS, pauseMs: plan.pauseMs, mayLose };
  return writing(stage, plan.seed, options, async (workload) => {
    for (const { name } of early) await FAULTS[name].prepare?.(stage);
    await Promise.all([stage.relays.start(plan.relays), strikeAll(stage, early, note)]);
    await patience.have(() => stage.relays.untilStreaming());
    note('streaming');
    await strikeAll(stage, late, note);
    await patience.have(() => stage.relays.untilStreaming());
    note('streaming again');
    await workload.progress(PROGRESS);
  });
}

/** Waits for what has to come by itself. A peer for which it does not come is started anew once, as by its operator. */
class Patience {
  /** What never came. */
  readonly lost: string[] = [];
  rescues = 0;
  readonly #stage: Stage;
  readonly #note: Note;

  constructor(stage: Stage, note: Note) {
    this.#stage = stage;
    this.#note = note;
  }

  /** The round goes on to its accounting also if it does not come. */
  async have(wait: () => Promise<unknown>): Promise<void> {
    try {
      await wait();
    } catch (error) {
      if (this.rescues > 0 || !(await this.#stage.relays.rescue())) {
        this.lost.push(messageOf(error));
        return;
      }
      this.rescues++;
      this.#note('started anew');
      await this.have(wait);
    }
  }
}

/** Lets writers work while `act` does, and tells what they wrote. */
async function writing(
  { url, table }: Stage,
  seed: number,
  options: { readonly writers: number; readonly pauseMs: number; readonly mayLose?: boolean },
  act: (workload: Workload) => Promise<void>,
): Promise<Written> {
  const workload = await startWorkload({ url, outbox: table, seed, ...options });
  try {
    await act(workload);
  } catch (error) {
    await workload.stop().catch(() => undefined);
    throw error;
  }
  return workload.stop();
}

/** Lets all faults happen at their times, those of a lane one after the other, and waits until all are mended. */
async function strikeAll(stage: Stage, faults: readonly PlannedFault[], note: Note): Promise<void> {
  const lanes = new Map<Lane, Promise<void>>();
  for (const { name, afterMs, lastsMs } of faults) {
    await delay(afterMs);
    const fault = FAULTS[name];
    const struck = Promise.all(fault.lanes.map((lane) => lanes.get(lane) ?? Promise.resolve())).then(async () => {
      note(`${name} begins`);
      await fault.strike(stage, lastsMs);
      note(`${name} is mended`);
    });
    // waited for below; until then it must not count as unhandled
    struck.catch(() => undefined);
    for (const lane of fault.lanes) lanes.set(lane, struck);
  }
  await Promise.all(lanes.values());
}

function drained(stage: Stage): Promise<true> {
  return until(async () => (await stage.pending()) === 0, {
    what: 'all events to be published, while the relay streams',
    timeoutMs: DRAIN_TIMEOUT_MS,
    everyMs: 100,
    details: async () => `${await stage.pending()} are left`,
  });
}
