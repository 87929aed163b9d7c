import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { TableReader } from '../../src/core/capture.ts';
import { RelayError } from '../../src/core/errors.ts';
import { circuitOf } from '../../src/relay/circuit.ts';
import {
  INITIAL_STATE,
  reduce,
  type DestinationEvent,
  type DestinationState,
  type MachineContext,
} from '../../src/relay/machine.ts';
import { runPass } from '../../src/relay/pass.ts';
import { Room } from '../../src/relay/room.ts';
import { Trial, TRIAL_ROWS } from '../../src/relay/trial.ts';
import { row } from './relay-support.ts';

const error = new RelayError('broker_unreachable', 'simulated');
const CONTEXT: MachineContext = { streamOpen: true, streamAllowed: true, handoverRows: 1000 };
const snapshot = { xmin: 100n, xmax: 105n, running: new Set<bigint>() };

/** The state after some events, and the circuit after each. */
function play(events: readonly DestinationEvent[], from = INITIAL_STATE): { state: DestinationState; told: string[] } {
  let state = from;
  const told = events.map((event) => {
    state = reduce(state, event, CONTEXT).state;
    return `${event.type}: ${circuitOf(state)}`;
  });
  return { state, told };
}

describe('the circuit of a destination', () => {
  it('is closed until a session fails, open while that is waited out, half-open until something is acknowledged', () => {
    const { told } = play([
      { type: 'timer' },
      { type: 'opened' },
      { type: 'session-failed', error },
      { type: 'timer' },
      { type: 'open-failed', error },
      { type: 'timer' },
      { type: 'opened' },
      { type: 'session-failed', error },
      { type: 'timer' },
      { type: 'opened' },
      { type: 'progress' },
    ]);
    expect(told).toEqual([
      'timer: closed',
      'opened: closed',
      'session-failed: open',
      'timer: half-open',
      'open-failed: open',
      'timer: half-open',
      'opened: half-open',
      'session-failed: open',
      'timer: half-open',
      'opened: half-open',
      'progress: closed',
    ]);
  });

  it('is open while the destination stands still', () => {
    expect(circuitOf(play([{ type: 'halt', error }]).state)).toBe('open');
  });

  it('puts every session after a failure on trial, and the first one not', () => {
    const trials = [0, 1, 7].map((failures) => {
      const { commands } = reduce({ name: 'down', opening: false, failures }, { type: 'timer' }, CONTEXT);
      return commands;
    });
    expect(trials).toEqual([
      [{ type: 'open-session', trial: false }],
      [{ type: 'open-session', trial: true }],
      [{ type: 'open-session', trial: true }],
    ]);
  });

  it.each([
    { failures: 0, held: 1000, state: 'streaming' },
    { failures: 1, held: TRIAL_ROWS, state: 'streaming' },
    { failures: 1, held: TRIAL_ROWS + 1, state: 'handover' },
  ])('half-open publishes no more held rows than a trial has ($failures failures, $held held)', (given) => {
    const { failures, held, state } = given;
    const handover: DestinationState = { name: 'handover', x0: 50n, passing: true, failures };
    const ended: DestinationEvent = { type: 'pass-ended', complete: true, snapshot, taken: 0, held };
    expect(reduce(handover, ended, CONTEXT).state.name).toBe(state);
  });

  it('half-open reads from the table what the stream brings beyond a trial', () => {
    const { state, commands } = reduce({ name: 'streaming', failures: 1 }, { type: 'trial-full' }, CONTEXT);
    expect([state.name, ...commands.map(({ type }) => type)]).toEqual(['catchup', 'let-go', 'start-pass']);
  });
});

describe('a session on trial', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** A trial, and what waits for it. */
  function begun(sent: number): { trial: Trial; over: () => Promise<boolean> } {
    const trial = new Trial();
    trial.begin(true);
    trial.update(sent);
    let over = false;
    void trial.wait(new AbortController().signal).then(() => (over = true));
    return {
      trial,
      over: async () => {
        await vi.advanceTimersByTimeAsync(0);
        return over;
      },
    };
  }

  it('is given little, and nothing more while that is under way', async () => {
    const { trial, over } = begun(30);
    expect(trial.allowance).toBe(TRIAL_ROWS - 30);
    expect(await over()).toBe(false);
    trial.update(1);
    expect(await over()).toBe(false);
    trial.update(0);
    expect(await over()).toBe(true);
    expect(trial.allowance).toBe(TRIAL_ROWS);
  });

  it('is trusted from its first acknowledgement on', async () => {
    const { trial, over } = begun(TRIAL_ROWS);
    expect(trial.allowance).toBe(0);
    trial.end();
    expect(await over()).toBe(true);
    expect(trial.allowance).toBe(Infinity);
  });

  it('keeps back nothing for ever, when it neither fails nor acknowledges: others may be taken', async () => {
    const { trial, over } = begun(TRIAL_ROWS);
    await vi.advanceTimersByTimeAsync(9_000);
    expect(await over()).toBe(false);
    await vi.advanceTimersByTimeAsync(1_001);
    expect(await over()).toBe(true);
    expect(trial.allowance).toBe(Infinity);
  });

  it('is not over by time alone: the time counts from the first message', async () => {
    const trial = new Trial();
    trial.begin(true);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(trial.allowance).toBe(TRIAL_ROWS);
  });

  it('is none where no session failed before', async () => {
    const trial = new Trial();
    trial.begin(false);
    trial.update(5000);
    await trial.wait(new AbortController().signal);
    expect(trial.allowance).toBe(Infinity);
  });

  it('makes passes as small as that', async () => {
    const { trial } = begun(0);
    const asked: number[] = [];
    const reader: TableReader = {
      open: ({ maxRows }) => {
        asked.push(maxRows);
        const rows = async function* () {
          yield await Promise.resolve(Array.from({ length: maxRows }, (_, n) => row(BigInt(n))));
        };
        return Promise.resolve({ snapshot, insertLsn: 1n, complete: false, rows, close: () => Promise.resolve() });
      },
      assignXid: () => Promise.resolve(1n),
    };
    const host = {
      destination: 'd',
      reader,
      room: new Room({ sentBytes: 1000, sent: 1000, undeleted: 1000 }),
      trial,
      inFlight: () => 0,
      take: (rows: readonly unknown[]) => {
        trial.update(rows.length);
        return rows.length;
      },
      wanted: () => undefined,
      begin: () => undefined,
    };
    const bounds = { rows: 5000, timeMs: 1000 };
    const { signal } = new AbortController();
    const first = await runPass(host, bounds, signal);
    const second = runPass(host, bounds, signal);
    await vi.advanceTimersByTimeAsync(100);
    expect(asked).toEqual([TRIAL_ROWS]);
    trial.end();
    await second;
    expect(first.taken).toBe(TRIAL_ROWS);
    expect(asked).toEqual([TRIAL_ROWS, 5000]);
  });
});
