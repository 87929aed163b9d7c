import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { StatusReport } from '../../../src/core/status.ts';
import { launchRelay, type RelayConfig, type RelayProcess } from '../../support/relay-child.ts';
import { until } from '../../support/services/until.ts';
import type { RelayGroup, Streaming } from './relay-group.ts';

/** Lets a relay's wall clock jump. */
const SHIFTED_CLOCK = new URL('shifted-clock.ts', import.meta.url).href;
const SETTLE_TIMEOUT_MS = 90_000;
/** More than `shutdown.drain` of the relay. */
const STOP_TIMEOUT_MS = 45_000;

/** Processes of this project. */
export class OutboxRelays implements RelayGroup {
  readonly restarts = 0;
  readonly #config: RelayConfig;
  readonly #folder: string;
  readonly #members: RelayProcess[] = [];
  readonly #ending = new Set<RelayProcess>();
  readonly offences: string[] = [];
  #launched = 0;

  /** @param folder gets a folder for each process, with its log */
  constructor(config: RelayConfig, folder: string) {
    this.#config = config;
    this.#folder = folder;
  }

  async start(count: number): Promise<void> {
    for (let started = 0; started < count; started++) this.#members.push(await this.#launch());
  }

  async leader(): Promise<RelayProcess> {
    const statuses = await this.#statuses();
    return this.#members[statuses.findIndex((status) => status?.role === 'leader')] ?? this.#members[0]!;
  }

  async replaceLeader(signal: 'SIGKILL' | 'SIGTERM', afterMs: number): Promise<void> {
    const leader = await this.leader();
    await this.#end(leader, signal);
    await delay(afterMs);
    this.#members[this.#members.indexOf(leader)] = await this.#launch();
  }

  async killAll(): Promise<void> {
    await Promise.all(this.#members.map((relay) => this.#end(relay, 'SIGKILL')));
  }

  async startAgain(): Promise<void> {
    const start = async (relay: RelayProcess, index: number): Promise<void> => {
      if (!relay.running) this.#members[index] = await this.#launch();
    };
    await Promise.all(this.#members.map(start));
  }

  jumpClocks(): void {
    for (const relay of this.#members) relay.signal('SIGUSR2');
  }

  untilReading(): Promise<unknown> {
    const leads = async (): Promise<boolean> => (await this.#statuses()).some((status) => status?.role === 'leader');
    return until(leads, { what: 'a relay to lead', timeoutMs: SETTLE_TIMEOUT_MS, everyMs: 50 });
  }

  untilStreaming(): Promise<Streaming> {
    let statuses: readonly (StatusReport | null)[] = [];
    const ask = async (): Promise<Streaming | false> => {
      statuses = await this.#statuses();
      return streamingAmong(statuses, this.#members) ?? false;
    };
    return until(ask, {
      what: 'a relay to stream',
      timeoutMs: SETTLE_TIMEOUT_MS,
      everyMs: 50,
      details: () => JSON.stringify(statuses, null, 1),
    });
  }

  rescue(): Promise<boolean> {
    return Promise.resolve(false);
  }

  async stop(): Promise<string[]> {
    const ends = await Promise.all(this.#members.map((relay) => this.#end(relay, 'SIGTERM')));
    return ends.filter((how) => how !== 'exit code 0').map((how) => `a relay that was asked to end: ${how}`);
  }

  async dispose(): Promise<void> {
    await Promise.all(
      this.#members.map((relay) => {
        this.#ending.add(relay);
        return relay.kill();
      }),
    );
  }

  async #launch(): Promise<RelayProcess> {
    const folder = join(this.#folder, `relay-${++this.#launched}`);
    await mkdir(folder, { recursive: true });
    const relay = await launchRelay(this.#config, folder, [SHIFTED_CLOCK]);
    void relay.exited.then((how) => {
      if (!this.#ending.has(relay)) this.offences.push(`relay ${relay.pid} ended by itself: ${how}`);
    });
    await relay.untilListening();
    return relay;
  }

  async #end(relay: RelayProcess, signal: 'SIGKILL' | 'SIGTERM'): Promise<string> {
    this.#ending.add(relay);
    const late = new AbortController();
    const killed = delay(STOP_TIMEOUT_MS, undefined, { signal: late.signal }).then(
      () => {
        this.offences.push(`relay ${relay.pid} did not end within ${STOP_TIMEOUT_MS} ms of ${signal}`);
        return relay.kill();
      },
      () => undefined,
    );
    const how = await relay.end(signal);
    late.abort();
    await killed;
    return how;
  }

  #statuses(): Promise<(StatusReport | null)[]> {
    return Promise.all(this.#members.map((relay) => relay.status().catch(() => null)));
  }
}

function streamingAmong(
  statuses: readonly (StatusReport | null)[],
  members: readonly RelayProcess[],
): Streaming | undefined {
  const index = statuses.findIndex((status) => status?.role === 'leader');
  const destination = statuses[index]?.destinations[0];
  if (destination?.state !== 'streaming') return undefined;
  return { pid: members[index]!.pid, since: destination.since };
}
