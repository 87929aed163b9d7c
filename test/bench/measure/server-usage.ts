import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { descendants } from '../../support/services/child-process.ts';
import type { StartedPostgres } from '../../support/services/postgres.ts';
import { cpuTicks, TICKS_PER_SECOND } from './process-usage.ts';

/** What a Postgres server has taken since its start, or between two looks at it. */
export interface ServerUsage {
  /** Of all its processes, those that have ended included, in microseconds; known to 10 ms a process. */
  readonly cpuMicros: number;
  /** Log written. */
  readonly walBytes: number;
}

export async function serverUsage(server: StartedPostgres): Promise<ServerUsage> {
  const [row] = await server.query<{ bytes: string }>("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn AS bytes");
  return { cpuMicros: await serverCpu(server), walBytes: Number(row?.bytes) };
}

/** What was taken between two looks. */
export function usedBetween(before: ServerUsage, after: ServerUsage): ServerUsage {
  return { cpuMicros: after.cpuMicros - before.cpuMicros, walBytes: after.walBytes - before.walBytes };
}

async function serverCpu({ dataDir }: StartedPostgres): Promise<number> {
  const [first = ''] = (await readFile(join(dataDir, 'postmaster.pid'), 'utf8')).split('\n');
  const postmaster = Number(first);
  // The postmaster waits for all of the others when they end, and then has their time among its children's.
  const ticks = await Promise.all((await descendants(postmaster)).map(async (pid) => (await cpuTicks(pid)).own));
  const { own, children } = await cpuTicks(postmaster);
  const sum = ticks.filter((each) => !Number.isNaN(each)).reduce((total, each) => total + each, own + children);
  return (sum / TICKS_PER_SECOND) * 1e6;
}
