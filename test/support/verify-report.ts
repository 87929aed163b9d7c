import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { DestinationReport, VerifyReport } from '../../src/verify/report.ts';
import { outboxRelay } from './cli.ts';
import type { RelayConfig } from './relay-child.ts';
import { removeScratchFolder, scratchFolder } from './services/scratch.ts';

/** What `outbox-relay verify` came to for a configuration with one destination. */
export interface Verified {
  readonly code: number;
  readonly report: VerifyReport;
  readonly destination: DestinationReport;
  /** How many of each kind were found. */
  readonly found: Readonly<Record<'missing' | 'outOfOrder' | 'duplicated' | 'unexpected', number | undefined>>;
}

/** Runs `outbox-relay verify --json`. */
export async function verify(config: RelayConfig, ...args: readonly string[]): Promise<Verified> {
  const { code, stdout, stderr } = await outboxRelay('verify', '--json', '--config', await configFile(config), ...args);
  if (stdout === '') throw new Error(`verify ended with ${code}: ${stderr}`);
  const report = JSON.parse(stdout) as VerifyReport;
  const [destination] = report.destinations;
  if (destination === undefined) throw new Error('verify reports no destination');
  const { missing, outOfOrder, duplicated, unexpected } = destination;
  const found = {
    missing: missing?.count,
    outOfOrder: outOfOrder.count,
    duplicated: duplicated.count,
    unexpected: unexpected?.count,
  };
  return { code, report, destination, found };
}

/** Writes a configuration to a file that goes when the running test ends. */
export async function configFile(config: RelayConfig): Promise<string> {
  const folder = await scratchFolder('verify');
  onTestFinished(() => removeScratchFolder(folder));
  const file = join(folder, 'relay.yaml');
  await writeFile(file, JSON.stringify(config));
  return file;
}
