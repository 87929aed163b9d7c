import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { exists } from './cache.ts';
import { findProgram } from './child-process.ts';
import { unpackPackages } from './debian-packages.ts';

/** A Prometheus that can be started, with the tool that comes with it. */
export interface PrometheusDistribution {
  readonly prometheus: string;
  readonly promtool: string;
}

/** What a run of promtool came to. */
export interface PromtoolResult {
  readonly ok: boolean;
  /** What it printed, on both outputs. */
  readonly output: string;
}

/**
 * Prometheus as it is installed, or else the distribution's package unpacked into the cache folder.
 *
 * @throws when it is not to be had; the message says why
 */
export async function prometheusDistribution(): Promise<PrometheusDistribution> {
  const folders = ['/usr/bin', '/usr/local/bin', '/opt/homebrew/bin'];
  const prometheus = findProgram('prometheus', folders);
  const promtool = findProgram('promtool', folders);
  if (prometheus !== undefined && promtool !== undefined) return { prometheus, promtool };
  const root = await unpackPackages({ name: 'prometheus', dependencies: /^$/ });
  const unpacked = { prometheus: join(root, 'usr/bin/prometheus'), promtool: join(root, 'usr/bin/promtool') };
  if (await exists(unpacked.promtool)) return unpacked;
  throw new Error('the package of Prometheus lacks promtool');
}

/** Runs promtool. @param input for its standard input */
export async function promtool(args: readonly string[], input = ''): Promise<PromtoolResult> {
  const { promtool: program } = await prometheusDistribution();
  return new Promise((resolve) => {
    const child = execFile(program, args, (error, stdout, stderr) => {
      resolve({ ok: error === null, output: `${stdout}${stderr}` });
    });
    child.stdin?.end(input);
  });
}
