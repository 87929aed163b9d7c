import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { open, readFile, readdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { until } from './until.ts';

/** The account that a process runs as. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** How a service's process is started. */
export interface SpawnOptions {
  /** Where standard output and error are appended to: a pipe would block the service while this process is busy. */
  readonly logFile: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly account?: Account | undefined;
}

/** A service's main process. It ends with this process at the latest, also when this process is killed (on Linux). */
export interface ServiceProcess {
  readonly pid: number;
  /** False once the process has ended. */
  readonly running: boolean;
  /** Resolves, never rejects, when the process has ended, with a description of how. */
  readonly exited: Promise<string>;
  /** Sends a signal to the main process. */
  signal(name: NodeJS.Signals): void;
  /** Kills the main process and all its descendants at once, and waits for their end. */
  killTree(): Promise<void>;
  /** Stops (SIGSTOP) the main process and all its descendants. */
  pauseTree(): Promise<void>;
  /** Lets go on what {@link pauseTree} stopped. */
  resumeTree(): Promise<void>;
  /** The end of what the process has printed. */
  output(): Promise<string>;
  /** Waits until `ready` answers true. @throws when the process ends before, or does not answer in time and is killed */
  untilReady(ready: () => Promise<boolean>, timeoutMs: number): Promise<void>;
}

/** The full path of a program, or undefined when it is not in PATH nor in `places`. */
export function findProgram(name: string, places: readonly string[] = []): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...places].filter((folder) => folder !== '');
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** Starts the process of a service. @throws when the program cannot be executed */
export async function spawnService(
  command: string,
  args: readonly string[],
  options: SpawnOptions,
): Promise<ServiceProcess> {
  const log = await open(options.logFile, 'a');
  try {
    const [program = command, ...rest] = [...dyingWithUs(), command, ...args];
    const child = spawn(program, rest, {
      // Its own session, so that an interrupt from the terminal does not end it before those that use it.
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      env: options.env ?? process.env,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.account ?? {}),
    });
    await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject));
    return new Spawned(child, options.logFile);
  } finally {
    await log.close();
  }
}

const spawned = new Set<ChildProcess>();

class Spawned implements ServiceProcess {
  readonly pid: number;
  readonly exited: Promise<string>;
  readonly #child: ChildProcess;
  readonly #logFile: string;

  constructor(child: ChildProcess, logFile: string) {
    if (child.pid === undefined) throw new Error('the process has no id');
    this.pid = child.pid;
    this.#child = child;
    this.#logFile = logFile;
    if (spawned.size === 0) process.once('exit', killAll);
    spawned.add(child);
    // The event and not kill(pid, 0): a process that has ended but was not waited for still answers to signals.
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        spawned.delete(child);
        if (spawned.size === 0) process.removeListener('exit', killAll);
        resolve(signal ?? `exit code ${code ?? 'unknown'}`);
      });
    });
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  signal(name: NodeJS.Signals): void {
    if (this.running) this.#child.kill(name);
  }

  async killTree(): Promise<void> {
    // Stopped first, so that nothing forks between the listing and the killing.
    const tree = await this.#signalTree('SIGSTOP');
    for (const pid of tree) send(pid, 'SIGKILL');
    await this.exited;
    await until(async () => (await Promise.all(tree.map(hasEnded))).every(Boolean), {
      what: `the end of processes ${tree.join(' ')}`,
    });
  }

  async pauseTree(): Promise<void> {
    await this.#signalTree('SIGSTOP');
  }

  async resumeTree(): Promise<void> {
    if (!this.running) return;
    const tree = await descendants(this.pid);
    for (const pid of [...tree.reverse(), this.pid]) send(pid, 'SIGCONT');
  }

  async output(): Promise<string> {
    const text = await readFile(this.#logFile, 'utf8').catch(() => '');
    return text.split('\n').slice(-40).join('\n').trim();
  }

  async untilReady(ready: () => Promise<boolean>, timeoutMs: number): Promise<void> {
    const started = until(() => !this.running || ready(), {
      what: 'the start',
      timeoutMs,
      details: () => this.output(),
    });
    await started.catch(async (error: unknown) => {
      await this.killTree();
      throw error;
    });
    if (!this.running) throw new Error(`ended at start (${await this.exited}):\n${await this.output()}`);
  }

  async #signalTree(name: NodeJS.Signals): Promise<number[]> {
    if (!this.running) return [];
    send(this.pid, name);
    const tree = await descendants(this.pid);
    for (const pid of tree) send(pid, name);
    return [this.pid, ...tree];
  }
}

/** What goes before a command so that its process is killed when this one ends, however it ends (on Linux). */
export function dyingWithUs(): string[] {
  const setpriv = process.platform === 'linux' ? findProgram('setpriv', ['/usr/bin']) : undefined;
  return setpriv === undefined ? [] : [setpriv, '--pdeathsig', 'KILL', '--'];
}

function killAll(): void {
  for (const child of spawned) child.kill('SIGKILL');
}

function send(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error;
  }
}

/** The `errno` name of a system error. */
export function errorCode(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** All descendants of a process, parents before children. By parent id: Postgres gives each child a session of its own. */
export async function descendants(root: number): Promise<number[]> {
  const parents = await parentIds();
  const found = [root];
  for (const parent of found) {
    for (const [pid, ppid] of parents) if (ppid === parent) found.push(pid);
  }
  return found.slice(1);
}

async function parentIds(): Promise<Map<number, number>> {
  if (process.platform !== 'linux') return parentIdsFromPs();
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const stats = await Promise.all(pids.map(async (pid) => [pid, await processStat(pid)] as const));
  return new Map(stats.flatMap(([pid, stat]) => (stat === undefined ? [] : [[pid, stat.parent]])));
}

async function parentIdsFromPs(): Promise<Map<number, number>> {
  const ps = spawn('ps', ['-A', '-o', 'pid=,ppid='], { stdio: ['ignore', 'pipe', 'ignore'] });
  let text = '';
  for await (const chunk of ps.stdout.setEncoding('utf8')) text += String(chunk);
  const rows = text
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number));
  return new Map(rows.map(([pid = 0, ppid = 0]) => [pid, ppid]));
}

/** Whether a process is gone, or only waits for its parent to take notice. */
export async function hasEnded(pid: number): Promise<boolean> {
  if (process.platform !== 'linux') return !(await parentIdsFromPs()).has(pid);
  const stat = await processStat(pid);
  return stat === undefined || stat.state === 'Z';
}

async function processStat(pid: number): Promise<{ state: string; parent: number } | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // The program's name, in brackets, may hold blanks and brackets itself.
  const [state, parent] = text?.slice(text.lastIndexOf(')') + 2).split(' ') ?? [];
  return state === undefined ? undefined : { state, parent: Number(parent) };
}
