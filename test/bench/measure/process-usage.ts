import { readFile } from 'node:fs/promises';

/** Of `times` in /proc/PID/stat, on every Linux that Node runs on. */
export const TICKS_PER_SECOND = 100;

/** What a process has taken since its start. NaN where the system has no /proc, or the process has ended. */
export interface ProcessUsage {
  /** User and system time, in microseconds; known to 10 ms. */
  readonly cpuMicros: number;
  /** Most resident memory, in MB (2^20 bytes). */
  readonly peakRssMb: number;
}

export async function processUsage(pid: number): Promise<ProcessUsage> {
  const [ticks, status] = await Promise.all([cpuTicks(pid), read(`/proc/${pid}/status`)]);
  const peak = /^VmHWM:\s+(\d+) kB/m.exec(status)?.[1];
  return { cpuMicros: (ticks.own / TICKS_PER_SECOND) * 1e6, peakRssMb: Number(peak) / 1024 };
}

/** What several processes have taken together: of memory the sum of what each has taken most. */
export async function usageTogether(pids: readonly number[]): Promise<ProcessUsage> {
  const usages = await Promise.all(pids.map(processUsage));
  const sum = (figure: keyof ProcessUsage): number => usages.reduce((total, usage) => total + usage[figure], 0);
  return { cpuMicros: sum('cpuMicros'), peakRssMb: sum('peakRssMb') };
}

/** User and system time of a process, and of its children that it has waited for; NaN as above. */
export async function cpuTicks(pid: number): Promise<{ own: number; children: number }> {
  const stat = await read(`/proc/${pid}/stat`);
  // The program's name, in brackets, may hold blanks and brackets itself.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { own: Number(fields[11]) + Number(fields[12]), children: Number(fields[13]) + Number(fields[14]) };
}

function read(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}
