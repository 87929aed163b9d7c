import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ChaosReport } from '../../test/chaos/report.ts';
import type { Tally } from './tally.ts';

/** Named, so that the rounds stay the same when there are more faults to draw from. */
const FAULTS = [
  ...['relay-kill', 'relay-freeze', 'leader-freeze', 'clock-jump', 'power-loss', 'walsender-flapping', 'sessions-end'],
  ...['postgres-crash', 'postgres-kill', 'postgres-switchover', 'postgres-failover', 'postgres-blackhole'],
  ...['postgres-responses-lost', 'slot-invalidated', 'standby-wait', 'broker-kill', 'broker-freeze'],
  ...['broker-responses-lost', 'broker-reset', 'publication-drop', 'disk-full', 'giant-transaction'],
];
const RABBITMQ_FAULTS = ['exchange-deleted', 'exchange-missing-at-start', 'memory-alarm', 'queue-full'];
const TIME = '2m';

interface Leg {
  readonly broker: 'kafka' | 'rabbitmq';
  readonly pg: '14' | '18';
  readonly seed: number;
}

/** The two brokers side by side, each with the oldest and the newest Postgres: eight minutes in four. */
const LANES: readonly (readonly Leg[])[] = [
  [
    { broker: 'kafka', pg: '18', seed: 101 },
    { broker: 'kafka', pg: '14', seed: 102 },
  ],
  [
    { broker: 'rabbitmq', pg: '14', seed: 103 },
    { broker: 'rabbitmq', pg: '18', seed: 104 },
  ],
];

/** Plays rounds of chaos with fixed seeds for a fixed time. Each round counts as a test. */
export async function playChaos(): Promise<Tally> {
  const lanes = await Promise.all(LANES.map(playLane));
  const tallies = lanes.flat();
  const sum = (of: keyof Tally): number => tallies.reduce((total, tally) => total + tally[of], 0);
  return { passed: sum('passed'), failed: sum('failed'), skipped: 0 };
}

async function playLane(legs: readonly Leg[]): Promise<Tally[]> {
  const tallies: Tally[] = [];
  for (const leg of legs) tallies.push(await playLeg(leg));
  return tallies;
}

async function playLeg({ broker, pg, seed }: Leg): Promise<Tally> {
  const file = join('.cache', 'chaos', `${broker}-${pg}.json`);
  await rm(file, { force: true });
  const faults = broker === 'rabbitmq' ? [...FAULTS, ...RABBITMQ_FAULTS] : FAULTS;
  const drawn = ['--broker', broker, '--pg', pg, '--seed', String(seed), '--faults', faults.join(',')];
  const args = [...drawn, '--for', TIME, '--keep-going', '--json', file];
  const chaos = spawn(process.execPath, ['--import', 'tsx', 'test/chaos/main.ts', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface(chaos.stdout);
  lines.on('line', (line) => console.log(`[chaos ${broker}, Postgres ${pg}] ${line}`));
  const [code] = (await once(chaos, 'close')) as [number | null];
  const failed = await readFile(file, 'utf8').then(
    (text) => (JSON.parse(text) as ChaosReport).rounds.map(({ problems }) => problems.length > 0),
    () => [],
  );
  const failures = failed.filter(Boolean).length;
  // without a failing round it broke off
  return { passed: failed.length - failures, failed: code === 0 ? 0 : Math.max(1, failures), skipped: 0 };
}
