import { type ChildProcess, spawn } from 'node:child_process';
import { openSync, closeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { StatusReport } from '../src/core/status.ts';
import { dyingWithUs } from '../test/support/services/child-process.ts';
import { until } from '../test/support/services/until.ts';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const START_TIMEOUT_MS = 60_000;
const STATUS_TIMEOUT_MS = 2_000;
const LOG_LINES = 15;

/** How the relay is started. */
export interface RelayOptions {
  readonly configFile: string;
  /** Of the configuration's `admin`. */
  readonly adminPort: number;
  /** Where the log goes. */
  readonly folder: string;
  /** Gets each line of standard output: what the console destination publishes. */
  readonly onLine: (line: string) => void;
}

/** The relay itself, `outbox-relay run`, in a process of its own. */
export class RelayProcess {
  readonly #child: ChildProcess;
  readonly #logFile: string;
  readonly #adminPort: number;
  /** Resolves when the process has ended and all it printed has been read, with the exit code; null: by a signal. */
  readonly ended: Promise<number | null>;

  constructor({ configFile, adminPort, folder, onLine }: RelayOptions) {
    this.#adminPort = adminPort;
    this.#logFile = join(folder, 'relay.log');
    const log = openSync(this.#logFile, 'a');
    const command = [process.execPath, '--import', import.meta.resolve('tsx'), MAIN, 'run', '--config', configFile];
    const [program = '', ...args] = [...dyingWithUs(), ...command];
    // Its own process group: Ctrl-C is for the demo, which ends the relay once everything has arrived.
    this.#child = spawn(program, args, { detached: true, stdio: ['ignore', 'pipe', log] });
    closeSync(log);
    if (this.#child.stdout !== null) createInterface({ input: this.#child.stdout }).on('line', onLine);
    const kill = (): void => void this.#child.kill('SIGKILL');
    process.once('exit', kill);
    this.ended = new Promise((resolve) => {
      this.#child.once('error', () => resolve(null));
      this.#child.once('close', (code) => resolve(code));
    });
    void this.ended.then(() => process.removeListener('exit', kill));
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves when the relay publishes. @throws when it ends instead, or does not come to it in time */
  async untilReady(): Promise<void> {
    await until(async () => !this.running || (await this.#get('/readyz')).ok, {
      what: 'the relay to be ready',
      timeoutMs: START_TIMEOUT_MS,
      details: () => this.logTail(),
    });
    if (!this.running) throw new Error(`the relay ended at its start:\n${await this.logTail()}`);
  }

  /** What `/status` tells; null when it does not answer. */
  async status(): Promise<StatusReport | null> {
    const answer = await this.#get('/status').catch(() => null);
    return answer === null ? null : ((await answer.json()) as StatusReport);
  }

  /** SIGTERM, and waits for the end. @returns the exit code */
  stop(): Promise<number | null> {
    this.#child.kill('SIGTERM');
    return this.ended;
  }

  async logTail(): Promise<string> {
    const text = await readFile(this.#logFile, 'utf8');
    return text.trimEnd().split('\n').slice(-LOG_LINES).join('\n');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.running) this.#child.kill('SIGKILL');
    await this.ended;
  }

  #get(path: string): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.#adminPort}${path}`, { signal: AbortSignal.timeout(STATUS_TIMEOUT_MS) });
  }
}
