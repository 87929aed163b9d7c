import { cpus, loadavg, platform, release, totalmem } from 'node:os';

/** What the figures were measured on. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryMb: number;
  readonly system: string;
  readonly node: string;
  readonly postgres: string;
  readonly broker: string;
  /** Processes that wanted a core in the minute before: anything above a few tenths took part in what was measured. */
  readonly loadBefore: number;
}

/** Describes this machine; to be called before anything is started. */
export function thisMachine(): Omit<Machine, 'postgres' | 'broker'> {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryMb: Math.round(totalmem() / 2 ** 20),
    system: `${platform()} ${release()}`,
    node: process.version,
    loadBefore: loadavg()[0] ?? Number.NaN,
  };
}
