import type { StartedPostgres } from '../support/services/postgres.ts';
import { removeScratchFolder, scratchFolder } from '../support/services/scratch.ts';
import type { Broker, Sink } from './brokers/broker.ts';
import type { Work } from './cases/case.ts';
import type { Contestant, RunningContestant } from './contestants/contestant.ts';
import { BenchDatabase } from './database.ts';
import { type Figures, figuresOf } from './measure/figures.ts';
import { type Sample, watchUntil } from './measure/monitor.ts';
import { processUsage } from './measure/process-usage.ts';

/** Where all runs take place. */
export interface Arena {
  readonly postgres: StartedPostgres;
  readonly broker: Broker;
}

/**
 * One run: one contestant does one piece of work, in a database and a topic or queue of its own.
 *
 * @param name of database and topic; no run before had it
 * @throws when not all of the work was done: every row at the broker, none that was not written, and none left in the
 *   table of a contestant that deletes
 */
export async function runOnce(arena: Arena, contestant: Contestant, work: Work, name: string): Promise<Figures> {
  const folder = await scratchFolder('bench');
  const database = await BenchDatabase.create(arena.postgres, name);
  const sink = await arena.broker.openSink(name, work.rows);
  try {
    if (contestant.otherRows > 0) await database.writeOther(contestant.otherRows);
    if (work.listen) await sink.listen();
    if (work.written === 'before') await work.write(database);
    await database.checkpoint();
    const begin = Date.now();
    const running = await contestant.start({ postgresUrl: database.url, target: sink.target, rows: work.rows, folder });
    try {
      const { samples, beganAt } = await perform(running, work, database, sink, begin);
      const usage = await processUsage(running.pid);
      await running.stop();
      const arrivals = await sink.collect();
      arrivals.verify();
      if (contestant.deletes) await verifyDeleted(database);
      return figuresOf({ arrivals, samples, usage, beganAt, warmUpMs: work.warmUpMs });
    } finally {
      await running.dispose();
    }
  } finally {
    await sink.close();
    await database.drop();
    await removeScratchFolder(folder);
  }
}

interface Performance {
  readonly samples: readonly Sample[];
  readonly beganAt: number;
}

async function perform(
  running: RunningContestant,
  work: Work,
  database: BenchDatabase,
  sink: Sink,
  startedAt: number,
): Promise<Performance> {
  const watch = () => watchUntil({ ...running, count: () => sink.count() }, work.rows);
  if (work.written === 'before') return { samples: await watch(), beganAt: startedAt };
  await running.untilStreaming();
  if (work.held) {
    process.kill(running.pid, 'SIGSTOP');
    await work.write(database);
    const beganAt = Date.now();
    process.kill(running.pid, 'SIGCONT');
    return { samples: await watch(), beganAt };
  }
  const beganAt = Date.now();
  const [samples] = await Promise.all([watch(), work.write(database)]);
  return { samples, beganAt };
}

async function verifyDeleted(database: BenchDatabase): Promise<void> {
  const left = await database.rowsLeft();
  if (left > 0) throw new Error(`${left} published rows are still in the table`);
}
