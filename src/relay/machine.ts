/**
 * The state machine of one destination: which lane its rows come by. Pure: events in, the next state and commands out;
 * {@link DestinationRunner} carries the commands out and feeds back what became of them.
 *
 *     down ──opened──> catchup ──backlog small, stream open──> handover ──pass past x0, little held──> streaming
 *      ^  <─failed──      ^ <──stream ended, buffer full, pass or x0 failed──┘                              │
 *      │                  └──────stream ended, buffer full, stragglers, keys released ─────────────────────┤
 *      └──────────────────────────────session failed (from any state)───────────────────────────────────────┘
 *
 *     any ──halt──> halted (a bad row under onError: halt, or deletions that are blocked; only a restart leaves it)
 *
 * - down: no session with the broker. The destination's streamed rows are let go; the table has them.
 * - catchup: passes over the table, at once while they find much, else at the poll interval: that is polling.
 * - handover: the stream's transactions are held while passes go on, until one pass, complete, in a snapshot that sees
 *   everything that was running when holding began (`xmin > x0`), has published all that is not held.
 * - streaming: transactions are published as their Commits arrive. No passes.
 *
 * Every arrow that leads back to catchup or down is the same move: forget what is held, read the table.
 */
import type { RelayError } from '../core/errors.ts';
import type { FullXid, Snapshot } from '../core/snapshot.ts';
import { TRIAL_ROWS } from './trial.ts';

/** Where a destination stands. */
export type DestinationState =
  | ({
      readonly name: 'down';
      /** A session is being opened; else its back-off is waited out. */
      readonly opening: boolean;
    } & Failures)
  | ({
      readonly name: 'catchup';
      /** The backlog is small, and the destination waits for the stream. */
      readonly wantsStream: boolean;
      /** A pass is running or about to; else a timer is. */
      readonly passing: boolean;
      /** Passes failed in a row. */
      readonly passFailures: number;
    } & Failures)
  | ({ readonly name: 'handover'; readonly x0: FullXid | null; readonly passing: boolean } & Failures)
  | ({ readonly name: 'streaming' } & Failures)
  | { readonly name: 'halted' };

interface Failures {
  /** Sessions that failed in a row, without a single message acknowledged in between: what back-off goes by. */
  readonly failures: number;
}

type InState<Name extends DestinationState['name']> = DestinationState & { readonly name: Name };

/** What happened. */
export type DestinationEvent =
  | { readonly type: 'opened' }
  | { readonly type: 'open-failed'; readonly error: RelayError }
  | { readonly type: 'session-failed'; readonly error: RelayError }
  /** The session's first acknowledgement. */
  | { readonly type: 'progress' }
  | {
      readonly type: 'pass-ended';
      /** Every wanted row of the snapshot up to the end of the table was taken. */
      readonly complete: boolean;
      readonly snapshot: Snapshot;
      /** Rows taken by the pass. */
      readonly taken: number;
      /** Rows held from the stream, after those that the snapshot sees were dropped. */
      readonly held: number;
    }
  | { readonly type: 'pass-failed'; readonly error: RelayError }
  | { readonly type: 'stream-opened' }
  | { readonly type: 'stream-ended'; readonly error: RelayError }
  | { readonly type: 'xid-assigned'; readonly xid: FullXid }
  | { readonly type: 'xid-failed'; readonly error: RelayError }
  | { readonly type: 'buffer-full'; readonly error: RelayError }
  | { readonly type: 'stragglers'; readonly error: RelayError }
  /** The stream brings more than a session on trial may be sent. */
  | { readonly type: 'trial-full' }
  | { readonly type: 'keys-released' }
  | { readonly type: 'timer' }
  | { readonly type: 'halt'; readonly error: RelayError };

/** What to do about it, in order. */
export type DestinationCommand =
  /** `trial`: one before it failed, and nothing was acknowledged since. */
  | { readonly type: 'open-session'; readonly trial: boolean }
  | { readonly type: 'close-session' }
  | { readonly type: 'start-pass' }
  | { readonly type: 'cancel-pass' }
  | { readonly type: 'hold' }
  | { readonly type: 'assign-xid' }
  | { readonly type: 'publish-held' }
  | { readonly type: 'let-go' }
  | { readonly type: 'wait'; readonly delay: WaitDelay };

/** How long to wait for the next `timer` event. */
export type WaitDelay =
  | { readonly kind: 'poll' }
  | { readonly kind: 'handover' }
  | { readonly kind: 'backoff'; readonly attempt: number; readonly slowly: boolean };

/** What the machine needs to know of its surroundings. */
export interface MachineContext {
  /** Whether the stream is open at this moment. */
  readonly streamOpen: boolean;
  /** Whether a stream may be had at all (not so when `capture.mode` is `polling`). */
  readonly streamAllowed: boolean;
  /** At most so many rows are a small backlog, and little to hold. */
  readonly handoverRows: number;
}

/** The next state and the commands that lead there. */
export interface Transition {
  readonly state: DestinationState;
  readonly commands: readonly DestinationCommand[];
}

/** A destination begins without a session, and its first timer fires at once. */
export const INITIAL_STATE: DestinationState = { name: 'down', opening: false, failures: 0 };

/** Whether transactions of the stream are taken (held or published) in this state, and not let go. */
export function takesStream(state: DestinationState): boolean {
  return state.name === 'handover' || state.name === 'streaming';
}

/** Whether the stream is needed: in use, or waited for. */
export function needsStream(state: DestinationState): boolean {
  return takesStream(state) || (state.name === 'catchup' && state.wantsStream);
}

/** The reducer. An event that a state has no use for leaves it as it is: late answers of commands long overtaken. */
export function reduce(state: DestinationState, event: DestinationEvent, context: MachineContext): Transition {
  if (state.name === 'halted') return stay(state);
  if (event.type === 'halt') return { state: { name: 'halted' }, commands: LEAVE };
  if (event.type === 'progress') return stay({ ...state, failures: 0 });
  switch (state.name) {
    case 'down':
      return reduceDown(state, event);
    case 'catchup':
      return reduceCatchup(state, event, context);
    case 'handover':
      return reduceHandover(state, event, context);
    case 'streaming':
      return reduceStreaming(state, event);
  }
}

function reduceDown(state: InState<'down'>, event: DestinationEvent): Transition {
  switch (event.type) {
    case 'timer':
      return stay({ ...state, opening: true }, { type: 'open-session', trial: state.failures > 0 });
    case 'opened':
      return fallBack(state);
    case 'open-failed':
    case 'session-failed':
      return goDown(state, event.error);
    default:
      return stay(state);
  }
}

function reduceCatchup(state: InState<'catchup'>, event: DestinationEvent, context: MachineContext): Transition {
  switch (event.type) {
    case 'pass-ended': {
      const small = event.complete && event.taken <= context.handoverRows;
      // much, and yet up to the end: the next pass finds less, and the stream that is being opened is still wanted
      if (!small) return startPass({ ...state, passFailures: 0, wantsStream: event.complete && state.wantsStream });
      if (context.streamOpen) return goHandover(state, false);
      return waitForPass({ ...state, passFailures: 0, wantsStream: context.streamAllowed }, { kind: 'poll' });
    }
    case 'pass-failed':
      return waitForPass({ ...state, passFailures: state.passFailures + 1 }, backoff(event.error, state.passFailures));
    case 'stream-opened':
      return state.wantsStream ? goHandover(state, state.passing) : stay(state);
    case 'timer':
      return state.passing ? stay(state) : startPass(state);
    case 'session-failed':
      return goDown(state, event.error);
    default:
      return stay(state);
  }
}

function reduceHandover(state: InState<'handover'>, event: DestinationEvent, context: MachineContext): Transition {
  switch (event.type) {
    case 'xid-assigned':
      return state.passing ? stay({ ...state, x0: event.xid }) : startPass({ ...state, x0: event.xid });
    case 'pass-ended': {
      const past = event.complete && state.x0 !== null && event.snapshot.xmin > state.x0;
      const mayHold = state.failures > 0 ? Math.min(TRIAL_ROWS, context.handoverRows) : context.handoverRows;
      if (past && event.held <= mayHold) {
        return { state: { name: 'streaming', failures: state.failures }, commands: [{ type: 'publish-held' }] };
      }
      return event.taken > 0 ? startPass(state) : waitForPass(state, { kind: 'handover' });
    }
    case 'timer':
      return state.passing ? stay(state) : startPass(state);
    case 'pass-failed':
      return {
        state: { name: 'catchup', wantsStream: false, passing: false, passFailures: 1, failures: state.failures },
        commands: [{ type: 'let-go' }, { type: 'wait', delay: backoff(event.error, 0) }],
      };
    case 'stream-ended':
    case 'buffer-full':
    case 'xid-failed':
    case 'keys-released':
      return fallBack(state, state.passing);
    case 'session-failed':
      return goDown(state, event.error);
    default:
      return stay(state);
  }
}

function reduceStreaming(state: InState<'streaming'>, event: DestinationEvent): Transition {
  switch (event.type) {
    case 'stream-ended':
    case 'buffer-full':
    case 'stragglers':
    case 'trial-full':
    case 'keys-released':
      return fallBack(state);
    case 'session-failed':
      return goDown(state, event.error);
    default:
      return stay(state);
  }
}

const LEAVE: readonly DestinationCommand[] = [{ type: 'cancel-pass' }, { type: 'let-go' }, { type: 'close-session' }];

function stay(state: DestinationState, ...commands: DestinationCommand[]): Transition {
  return { state, commands };
}

function startPass(state: InState<'catchup' | 'handover'>): Transition {
  return { state: { ...state, passing: true }, commands: [{ type: 'start-pass' }] };
}

function waitForPass(state: InState<'catchup' | 'handover'>, delay: WaitDelay): Transition {
  return { state: { ...state, passing: false }, commands: [{ type: 'wait', delay }] };
}

/**
 * Holding begins before x0 is taken, so that every transaction is either held or below x0 (rule x0). The next pass waits
 * for x0: the snapshot of an earlier one cannot be past it.
 */
function goHandover(state: InState<'catchup'>, passing: boolean): Transition {
  return {
    state: { name: 'handover', x0: null, passing, failures: state.failures },
    commands: [{ type: 'hold' }, { type: 'assign-xid' }],
  };
}

/** The one move: let go of what is held, and read the table. */
function fallBack(state: Failures, passing = false): Transition {
  const commands: DestinationCommand[] = [{ type: 'let-go' }];
  if (!passing) commands.push({ type: 'start-pass' });
  return {
    state: { name: 'catchup', wantsStream: false, passing: true, passFailures: 0, failures: state.failures },
    commands,
  };
}

function goDown(state: Failures, error: RelayError): Transition {
  return {
    state: { name: 'down', opening: false, failures: state.failures + 1 },
    commands: [...LEAVE, { type: 'wait', delay: backoff(error, state.failures) }],
  };
}

function backoff(error: RelayError, attempt: number): WaitDelay {
  return { kind: 'backoff', attempt, slowly: !error.retryable };
}
