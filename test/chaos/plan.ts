import type { KafkaDriverName } from '../../src/publish/kafka/options.ts';
import { Random } from '../support/simulation/random.ts';
import { drawDuration } from './faults/fault.ts';
import { FAULTS, type FaultName } from './faults/index.ts';

/** One fault of a round. */
export interface PlannedFault {
  readonly name: FaultName;
  /** After the one before has begun, in milliseconds. */
  readonly afterMs: number;
  readonly lastsMs: number;
}

/** All that is drawn for a round. The same seed, round and list of faults draw the same. */
export interface RoundPlan {
  readonly round: number;
  /** Of the writers. */
  readonly seed: number;
  readonly relays: 1 | 2;
  /** Empty: a round of quiet streaming only. */
  readonly faults: readonly PlannedFault[];
  /** Milliseconds of streaming, without faults, before the last accounting. */
  readonly quietMs: number;
  /** Mean pause of each writer between transactions, in milliseconds. */
  readonly pauseMs: number;
  readonly kafkaDriver: KafkaDriverName;
  /** Settings of the relay, the rest being as the round is run. */
  readonly settings: {
    readonly memory: string;
    readonly undeleted: number;
    readonly passRows: number;
    readonly handoverRows: number;
    readonly retryFor: string;
    readonly publishWhen: 'logged' | 'visible';
  };
}

const QUIET_ROUNDS = 0.1;
const MOST_FAULTS = 4;
const GAP: readonly [number, number] = [0, 2_500];

/** Draws a round. @param among the faults to choose from; at least one */
export function drawRound(seed: number, round: number, among: readonly FaultName[]): RoundPlan {
  const random = new Random(seed * 1_000_003 + round);
  const pick = <T>(choices: readonly [T, ...T[]]): T => choices[random.below(choices.length)] ?? choices[0];
  const quiet = random.chance(QUIET_ROUNDS);
  const faults = Array.from({ length: quiet ? 0 : 1 + random.below(MOST_FAULTS) }, (): PlannedFault => {
    const name = among[random.below(among.length)]!;
    return { name, afterMs: drawDuration(random, GAP), lastsMs: drawDuration(random, FAULTS[name].lasts) };
  });
  const pair = faults.some(({ name }) => FAULTS[name].pair === true);
  return {
    round,
    seed: random.below(1_000_000),
    relays: random.chance(0.3) || pair ? 2 : 1,
    faults,
    quietMs: quiet ? 20_000 : 5_000,
    pauseMs: pick([5, 15, 40]),
    kafkaDriver: pick<KafkaDriverName>(['direct', 'direct', 'direct', 'direct', 'platformatic', 'kafkajs']),
    settings: {
      memory: pick(['32MiB', '1MiB']),
      undeleted: pick([20_000, 200]),
      passRows: pick([50_000, 100]),
      handoverRows: pick([1_000, 20]),
      retryFor: pick(['10s', '1s', '0s']),
      publishWhen: pick(['logged', 'logged', 'visible']),
    },
  };
}

/** The faults of a round in words. */
export function describeFaults({ faults }: RoundPlan): string {
  if (faults.length === 0) return 'quiet';
  return faults.map(({ name, lastsMs }) => (lastsMs === 0 ? name : `${name} ${lastsMs} ms`)).join(', ');
}
