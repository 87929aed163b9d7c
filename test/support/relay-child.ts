import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ErrorCode } from '../../src/core/error-catalogue.ts';
import type { DestinationStateName, InstanceRole, StatusReport } from '../../src/core/status.ts';
import { type ServiceProcess, spawnService } from './services/child-process.ts';
import { until } from './services/until.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const START_TIMEOUT_MS = 60_000;

/** A configuration as it is written in the file. */
export type RelayConfig = Readonly<Record<string, unknown>>;

/**
 * Starts the relay as users do, in a process of its own.
 *
 * @param folder gets its configuration and its log
 * @param preloads modules that its process loads first
 */
export async function launchRelay(
  config: RelayConfig,
  folder: string,
  preloads: readonly string[] = [],
): Promise<RelayProcess> {
  const file = join(folder, 'relay.yaml');
  // JSON is YAML; port 0 since several relays run at a time
  await writeFile(file, JSON.stringify({ admin: { port: 0 }, ...config }));
  const logFile = join(folder, 'relay.log');
  const imports = ['tsx', ...preloads].flatMap((module) => ['--import', module]);
  const args = [...imports, join(ROOT, 'src/main.ts'), 'run', '--config', file];
  return new RelayProcess(await spawnService(process.execPath, args, { logFile, cwd: ROOT }), logFile);
}

/** A running relay. */
export class RelayProcess {
  readonly #child: ServiceProcess;
  readonly #logFile: string;
  #admin = '';

  constructor(child: ServiceProcess, logFile: string) {
    this.#child = child;
    this.#logFile = logFile;
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** `host:port` of `/metrics` and the others. */
  get adminAddress(): string {
    return new URL(this.#admin).host;
  }

  /** Resolves with how the process ended: `exit code 0`, `SIGKILL`. */
  get exited(): Promise<string> {
    return this.#child.exited;
  }

  /** False once the process has ended. */
  get running(): boolean {
    return this.#child.running;
  }

  /** Where its admin port answers, once it listens. */
  get adminUrl(): string {
    return this.#admin;
  }

  /** The end of what it has logged. */
  logTail(): Promise<string> {
    return this.#child.output();
  }

  /** Kills it, if it runs. */
  kill(): Promise<void> {
    return this.#child.killTree();
  }

  /** Sends a signal without waiting for what comes of it. */
  signal(name: NodeJS.Signals): void {
    this.#child.signal(name);
  }

  /** Sends a signal that ends the process, and waits for that. */
  async end(name: 'SIGKILL' | 'SIGTERM'): Promise<string> {
    this.#child.signal(name);
    return this.#child.exited;
  }

  async untilListening(): Promise<void> {
    await this.#child.untilReady(async () => {
      const port = /"admin":"127\.0\.0\.1:(\d+)"/.exec(await this.log())?.[1];
      this.#admin = port === undefined ? '' : `http://127.0.0.1:${port}`;
      return port !== undefined;
    }, START_TIMEOUT_MS);
  }

  /** Everything it has logged. */
  log(): Promise<string> {
    return readFile(this.#logFile, 'utf8');
  }

  async status(): Promise<StatusReport> {
    return (await (await this.#get('/status')).json()) as StatusReport;
  }

  /** Its metrics, in the text format, or the one that `accept` asks for. */
  async scrape(accept = 'text/plain'): Promise<string> {
    return (await this.#get('/metrics', { accept })).text();
  }

  /** A metric by its name without the prefix, summed over its labels; only over those that `labels` names, if given. */
  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    const text = await this.scrape();
    const samples = text.split('\n').filter((line) => /^outbox_relay_(\w+)/.exec(line)?.[1] === name);
    const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
    const matching = samples.filter((line) => wanted.every((part) => line.includes(part)));
    return matching.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }

  /** Waits until the status is as wanted, and returns it. */
  waitFor(what: string, wanted: (status: StatusReport) => boolean, timeoutMs = 60_000): Promise<StatusReport> {
    let last: StatusReport | undefined;
    const ask = async (): Promise<StatusReport | false> => {
      last = await this.status();
      return wanted(last) && last;
    };
    return until(ask, { what, timeoutMs, everyMs: 10, details: () => JSON.stringify(last, null, 1) });
  }

  /** Waits until a destination is in a state; any destination, unless one is named. */
  untilState(state: DestinationStateName, destination?: string, timeoutMs?: number): Promise<StatusReport> {
    const name = destination ?? 'any destination';
    return this.waitFor(`state ${state} of ${name}`, (status) => isInState(status, state, destination), timeoutMs);
  }

  untilRole(role: InstanceRole, timeoutMs?: number): Promise<StatusReport> {
    return this.waitFor(`role ${role}`, (status) => status.role === role, timeoutMs);
  }

  /** Waits until an error of this code is among the latest. */
  untilTold(code: ErrorCode, timeoutMs?: number): Promise<StatusReport> {
    return this.waitFor(code, ({ lastErrors }) => lastErrors.some((error) => error.code === code), timeoutMs);
  }

  /** The most memory that the process has ever had resident, in bytes (Linux only). */
  async peakMemory(): Promise<number> {
    const status = await readFile(`/proc/${this.pid}/status`, 'utf8');
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
  }

  #get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    return fetch(`${this.#admin}${path}`, { headers, signal: AbortSignal.timeout(10_000) });
  }
}

function isInState({ destinations }: StatusReport, state: DestinationStateName, destination?: string): boolean {
  return destinations.some((each) => each.state === state && (destination === undefined || each.name === destination));
}
