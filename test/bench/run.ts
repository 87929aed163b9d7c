import { setTimeout as delay } from 'node:timers/promises';
import type { StartedPostgres } from '../support/services/postgres.ts';
import { removeScratchFolder, scratchFolder } from '../support/services/scratch.ts';
import type { Broker, Sink } from './brokers/broker.ts';
import type { Work } from './cases/case.ts';
import type { Contestant, RunningContestant } from './contestants/contestant.ts';
import { BenchDatabase } from './database.ts';
import { type Figures, figuresOf, type IdleCost, type ServerCost } from './measure/figures.ts';
import { lastUsage, type Sample, watchUntil } from './measure/monitor.ts';
import { processUsage } from './measure/process-usage.ts';
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
  writing?: ServerUsage,
): Promise<Figures> {
  const folder = await scratchFolder('bench');
  const database = await BenchDatabase.create(arena.postgres, name, work.shape);
  const rows = Math.min(work.rows, contestant.mostRows ?? work.rows);
  const sink = await arena.broker.openSink(name, { rows, types: typesOf(work) });
  const { shape, warmUpMs } = work;
  const assignment = { name, postgresUrl: database.url, target: sink.target, rows, shape, folder };
  try {
    await contestant.prepare?.(assignment);
    if (contestant.otherRows > 0) await database.writeOther(contestant.otherRows);
    if (work.listen) await sink.listen();
    if (work.written === 'before' && contestant.does !== 'sends') await work.write(database, rows);
    await database.checkpoint();
    const before = await serverUsage(arena.postgres);
    const trouble = troubleOf(work.trouble, arena.broker);
    await trouble.begin();
    const begin = Date.now();
    const running = await contestant.start(assignment);
    try {
      await trouble.goOn();
      const { samples, beganAt } = await perform({ running, contestant, work, rows, database, sink, begin });
      await trouble.end();
      const usage = lastUsage([...samples, await processUsage(running.pid)]);
      const spent = usedBetween(before, await serverUsage(arena.postgres));
      const idle = work.idleMs === 0 ? undefined : await idleCost(arena, running, work.idleMs);
      await running.stop();
      const arrivals = contestant.check === 'none' ? undefined : await sink.collect(contestant.check);
      arrivals?.verify();
      if (contestant.deletes) await verifyDeleted(database);
      const counted = work.server && contestant.does === 'all';
      const beyondWriting = usedBetween(share(writing, rows / work.rows), spent);
      const table = contestant.table ?? OUTBOX.table;
      const server = counted ? await serverCost(arena, database, table, beyondWriting) : undefined;
      return figuresOf({ rows, arrivals, samples, usage, beganAt, warmUpMs, server, idle });
    } finally {
      await running.dispose();
      await trouble.end();
    }
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

function share({ cpuMicros, walBytes }: ServerUsage = { cpuMicros: 0, walBytes: 0 }, part: number): ServerUsage {
  return { cpuMicros: cpuMicros * part, walBytes: walBytes * part };
}

function typesOf({ shape }: Work): readonly string[] {
  return Array.from({ length: shape.topics }, (_, type) => typeOf(type, shape));
}

interface Stage {
  readonly running: RunningContestant;
  readonly contestant: Contestant;
  readonly work: Work;
  readonly rows: number;
  readonly database: BenchDatabase;
  readonly sink: Sink;
  /** When the process was started. */
  readonly begin: number;
}

interface Performance {
  readonly samples: readonly Sample[];
  readonly beganAt: number;
}

async function perform({ running, contestant, work, rows, database, sink, begin }: Stage): Promise<Performance> {
  const watch = () => watchUntil({ ...running, count: running.progress ?? (() => sink.count()) }, rows);
  if (work.written === 'before') return { samples: await watch(), beganAt: begin };
  await running.untilStreaming();
  if (contestant.does === 'sends') return { samples: await watch(), beganAt: begin };
  // Reading alone is measured without anybody beside it.
  if (work.held || contestant.does === 'reads') {
    process.kill(running.pid, 'SIGSTOP');
    await work.write(database, rows);
    const beganAt = Date.now();
    process.kill(running.pid, 'SIGCONT');
    return { samples: await watch(), beganAt };
  }
  const beganAt = Date.now();
  const [samples] = await Promise.all([watch(), work.write(database, rows)]);
  return { samples, beganAt };
}

async function idleCost({ postgres }: Arena, running: RunningContestant, idleMs: number): Promise<IdleCost> {
  await delay(Math.min(CALM_MS, idleMs));
  const look = async () => ({
    at: performance.now(),
    own: (await processUsage(running.pid)).cpuMicros,
    server: (await serverUsage(postgres)).cpuMicros,
  });
  const before = await look();
  await Promise.race([delay(idleMs), running.ended]);
  const after = await look();
  const percent = (micros: number) => micros / 10 / (after.at - before.at);
  return { cpuPercent: percent(after.own - before.own), postgresCpuPercent: percent(after.server - before.server) };
}

async function serverCost(
  { postgres }: Arena,
  database: BenchDatabase,
  table: string,
  work: ServerUsage,
): Promise<ServerCost> {
  const tableBytes = await database.tableBytes(table);
  const before = await serverUsage(postgres);
  await database.cleanUp(table);
  return { work, tableBytes, cleanup: usedBetween(before, await serverUsage(postgres)) };
}

async function verifyDeleted(database: BenchDatabase): Promise<void> {
  const left = await database.rowsLeft();
  if (left > 0) throw new Error(`${left} published rows are still in the table`);
}
