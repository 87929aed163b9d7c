import { setTimeout as delay } from 'node:timers/promises';
import type { StartedPostgres } from '../support/services/postgres.ts';
import { removeScratchFolder, scratchFolder } from '../support/services/scratch.ts';
import type { Broker, Sink } from './brokers/broker.ts';
import type { Work } from './cases/case.ts';
import type { Assignment, Contestant, RunningContestant } from './contestants/contestant.ts';
import { BenchDatabase } from './database.ts';
import type { Arrivals } from './measure/arrivals.ts';
import { type Figures, figuresOf, type IdleCost, type ServerCost } from './measure/figures.ts';
import { lastUsage, type Sample, watchUntil } from './measure/monitor.ts';
import { usageTogether } from './measure/process-usage.ts';
import { type ServerUsage, serverUsage, usedBetween } from './measure/server-usage.ts';
import { OUTBOX, typeOf } from './rows.ts';
import { troubleOf } from './trouble.ts';

/** Where all runs take place. */
export interface Arena {
  readonly postgres: StartedPostgres;
  readonly broker: Broker;
}

/** Before what idle costs is measured: connections are made, code is compiled, memory collected. */
const CALM_MS = 5_000;

/**
 * One run: one contestant does one piece of work, in a database and a topic or queue of its own.
 *
 * @param name of database, slot and topic; no run before had it
 * @param writing what writing the rows alone costs the server, where they are written during the run
 * @throws when not all of the work was done: every row at the broker, none that was not written, and none left in the
 *   table of a contestant that deletes
 */
export async function runOnce(
  arena: Arena,
  contestant: Contestant,
  work: Work,
  name: string,
  writing: ServerUsage = { cpuMicros: 0, walBytes: 0 },
): Promise<Figures> {
  const folder = await scratchFolder('bench');
  const rows = Math.min(work.rows, contestant.mostRows ?? work.rows);
  const database = await BenchDatabase.create(arena.postgres, name, work.shape);
  const sink = await arena.broker.openSink(name, { rows, types: typesOf(work) });
  const assignment = { name, postgresUrl: database.url, target: sink.target, rows, shape: work.shape, folder };
  try {
    return await new Run({ arena, contestant, work, database, sink, assignment, writing }).measure();
  } finally {
    await sink.close();
    await database.drop();
    await removeScratchFolder(folder);
  }
}

/** What writing the rows costs the server while nobody reads them. @param name as above */
export async function writingAlone({ postgres }: Arena, work: Work, name: string): Promise<ServerUsage> {
  const database = await BenchDatabase.create(postgres, name, work.shape);
  try {
    await database.checkpoint();
    const before = await serverUsage(postgres);
    await work.write(database, work.rows);
    return usedBetween(before, await serverUsage(postgres));
  } finally {
    await database.drop();
  }
}

function typesOf({ shape }: Work): readonly string[] {
  return Array.from({ length: shape.topics }, (_, type) => typeOf(type, shape));
}

interface RunParts {
  readonly arena: Arena;
  readonly contestant: Contestant;
  readonly work: Work;
  readonly database: BenchDatabase;
  readonly sink: Sink;
  readonly assignment: Assignment;
  readonly writing: ServerUsage;
}

interface Performance {
  readonly samples: readonly Sample[];
  readonly beganAt: number;
}

class Run {
  readonly #parts: RunParts;

  constructor(parts: RunParts) {
    this.#parts = parts;
  }

  async measure(): Promise<Figures> {
    const { arena, contestant, work, assignment } = this.#parts;
    await this.#prepare();
    const before = await serverUsage(arena.postgres);
    const trouble = troubleOf(work.trouble, arena.broker);
    await trouble.begin();
    const startedAt = Date.now();
    const running = await contestant.start(assignment);
    try {
      await trouble.goOn();
      const { samples, beganAt } = await this.#perform(running, startedAt);
      await trouble.end();
      const usage = lastUsage([...samples, await usageTogether(running.pids)]);
      const idle = work.idleMs === 0 ? undefined : await this.#idleCost(running);
      await running.stop();
      // Only now: what is published last is deleted after it has come.
      const spent = usedBetween(before, await serverUsage(arena.postgres));
      const arrivals = await this.#account();
      const server = work.server && contestant.does === 'all' ? await this.#serverCost(spent) : undefined;
      const { rows } = assignment;
      const rateOf = work.written === 'during' && !this.#isHeld ? 'whole' : 'middle';
      return figuresOf({ rows, arrivals, samples, usage, beganAt, warmUpMs: work.warmUpMs, rateOf, server, idle });
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error);
      throw new Error(`${what}; what it printed last:\n${await running.output()}`, { cause: error });
    } finally {
      await running.dispose();
      await trouble.end();
    }
  }

  /** Reading alone is measured without anybody beside it. */
  get #isHeld(): boolean {
    const { contestant, work } = this.#parts;
    return work.held || contestant.does === 'reads';
  }

  async #prepare(): Promise<void> {
    const { contestant, work, database, sink, assignment } = this.#parts;
    await contestant.prepare?.(assignment);
    if (contestant.otherRows > 0) await database.writeOther(contestant.otherRows);
    if (work.listen) await sink.listen();
    if (work.written === 'before' && contestant.does !== 'sends') await work.write(database, assignment.rows);
    await database.checkpoint();
  }

  async #perform(running: RunningContestant, startedAt: number): Promise<Performance> {
    const { work, database, sink, assignment } = this.#parts;
    const { rows } = assignment;
    const watch = () => watchUntil({ ...running, count: running.progress ?? (() => sink.count()) }, rows);
    if (work.written === 'before') return { samples: await watch(), beganAt: startedAt };
    await running.untilStreaming();
    if (this.#isHeld) {
      for (const pid of running.pids) process.kill(pid, 'SIGSTOP');
      await work.write(database, rows);
      const beganAt = Date.now();
      for (const pid of running.pids) process.kill(pid, 'SIGCONT');
      return { samples: await watch(), beganAt };
    }
    const beganAt = Date.now();
    const [samples] = await Promise.all([watch(), work.write(database, rows)]);
    return { samples, beganAt };
  }

  async #account(): Promise<Arrivals | undefined> {
    const { contestant, database, sink } = this.#parts;
    if (contestant.check === 'none') return undefined;
    const arrivals = await sink.collect(contestant.check);
    arrivals.verify();
    const left = contestant.deletes ? await database.rowsLeft() : 0;
    if (left > 0) throw new Error(`${left} published rows are still in the table`);
    return arrivals;
  }

  async #idleCost(running: RunningContestant): Promise<IdleCost> {
    const { arena, work } = this.#parts;
    await delay(Math.min(CALM_MS, work.idleMs));
    const look = async () => ({
      at: performance.now(),
      own: (await usageTogether(running.pids)).cpuMicros,
      server: (await serverUsage(arena.postgres)).cpuMicros,
    });
    const before = await look();
    await Promise.race([delay(work.idleMs), running.ended]);
    const after = await look();
    const percent = (micros: number) => micros / 10 / (after.at - before.at);
    return { cpuPercent: percent(after.own - before.own), postgresCpuPercent: percent(after.server - before.server) };
  }

  /** @param spent while the contestant worked */
  async #serverCost(spent: ServerUsage): Promise<ServerCost> {
    const { arena, contestant, work, database, assignment, writing } = this.#parts;
    const table = contestant.table ?? OUTBOX.table;
    const tableBytes = await database.tableBytes(table);
    const before = await serverUsage(arena.postgres);
    await database.cleanUp(table);
    const cleanup = usedBetween(before, await serverUsage(arena.postgres));
    const written = assignment.rows / work.rows;
    const alone = { cpuMicros: writing.cpuMicros * written, walBytes: writing.walBytes * written };
    return { work: usedBetween(alone, spent), tableBytes, cleanup };
  }
}
