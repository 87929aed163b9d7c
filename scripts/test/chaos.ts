import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { FaultName } from '../../test/chaos/faults/index.ts';
import type { ChaosReport } from '../../test/chaos/report.ts';
import type { Tally } from './tally.ts';

/** Named, so that the rounds stay the same when there are more faults to draw from. */
const FAULTS: readonly FaultName[] = [
  'relay-kill',
  'relay-freeze',
  'leader-freeze',
  'clock-jump',
  'power-loss',
  'walsender-flapping',
  'sessions-end',
  'postgres-crash',
  'postgres-kill',
  'postgres-switchover',
  'postgres-failover',
  'postgres-blackhole',
  'postgres-responses-lost',
  'slot-invalidated',
  'standby-wait',
  'broker-kill',
  'broker-freeze',
  'broker-responses-lost',
  'broker-reset',
  'publication-drop',
  'disk-full',
  'giant-transaction',
];
const RABBITMQ_FAULTS: readonly FaultName[] = [
  ...FAULTS,
  'exchange-deleted',
  'exchange-missing-at-start',
  'memory-alarm',
  'queue-full',
];
const TIME = '2m';
/** After which a run is given up: it counts as failed. */
const TIMEOUT_MS = 480_000;

/** One run. */
export interface ChaosLeg {
  readonly broker: 'kafka' | 'rabbitmq';
  readonly pg: '14' | '18';
  readonly seed: number;
  readonly faults: readonly FaultName[];
}

/**
 * The two brokers side by side, each with the oldest and the newest Postgres: eight minutes in four. The seeds are such
 * that the first rounds together have every fault.
 */
export const CHAOS_LANES: readonly (readonly ChaosLeg[])[] = [
  [
    { broker: 'kafka', pg: '18', seed: 98, faults: FAULTS },
    { broker: 'kafka', pg: '14', seed: 1370, faults: FAULTS },
  ],
  [
    { broker: 'rabbitmq', pg: '14', seed: 668, faults: RABBITMQ_FAULTS },
    { broker: 'rabbitmq', pg: '18', seed: 1375, faults: RABBITMQ_FAULTS },
  ],
];

/** Plays rounds of chaos with fixed seeds for a fixed time. Each round counts as a test. */
export async function playChaos(): Promise<Tally> {
  const lanes = await Promise.all(CHAOS_LANES.map(playLane));
  const tallies = lanes.flat();
  const sum = (of: keyof Tally): number => tallies.reduce((total, tally) => total + tally[of], 0);
  return { passed: sum('passed'), failed: sum('failed'), skipped: 0 };
}

async function playLane(legs: readonly ChaosLeg[]): Promise<Tally[]> {
  const tallies: Tally[] = [];
  for (const leg of legs) tallies.push(await playLeg(leg));
  return tallies;
}

async function playLeg({ broker, pg, seed, faults }: ChaosLeg): Promise<Tally> {
  const file = join('.cache', 'chaos', `${broker}-${pg}.json`);
  await rm(file, { force: true });
  const drawn = ['--broker', broker, '--pg', pg, '--seed', String(seed), '--faults', faults.join(',')];
  const args = [...drawn, '--for', TIME, '--keep-going', '--json', file];
  const chaos = spawn(process.execPath, ['--import', 'tsx', 'test/chaos/main.ts', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: TIMEOUT_MS,
  });
  const lines = createInterface(chaos.stdout);
  lines.on('line', (line) => console.log(`[chaos ${broker}, Postgres ${pg}] ${line}`));
  const [code] = (await once(chaos, 'close')) as [number | null];
  const failed = await readFile(file, 'utf8').then(
    (text) => (JSON.parse(text) as ChaosReport).rounds.map(({ problems }) => problems.length > 0),
    () => [],
  );
  const failures = failed.filter(Boolean).length;
  // without a failing round, or without any, it broke off
  const whole = code === 0 && failed.length > 0;
  return { passed: failed.length - failures, failed: whole ? failures : Math.max(1, failures), skipped: 0 };
}
