import { readFileSync } from 'node:fs';
import { Option } from 'commander';
import { RelayError } from '../core/errors.ts';
import type { Config } from '../config/index.ts';

/** What every command that needs the configuration takes. */
export interface ConfigOption {
  readonly config?: string;
}

/** `--config FILE`. */
export function configOption(): Option {
  return new Option('-c, --config <file>', 'configuration file (YAML)').env('OUTBOX_RELAY_CONFIG');
}

/** Where the configuration's parts come from outside of its file. */
export const SURROUNDINGS = { env: process.env, readFile: (path: string) => readFileSync(path, 'utf8') };

/** Loads what `--config` names, completed by the environment. @throws RelayError `config_invalid` */
export async function configOf({ config }: ConfigOption): Promise<Config> {
  const { loadConfig } = await import('../config/index.ts');
  if (config !== undefined) return loadConfig({ file: config, ...SURROUNDINGS });
  try {
    return loadConfig(SURROUNDINGS);
  } catch (error) {
    if (!(error instanceof RelayError)) throw error;
    const { code, message, cause } = error;
    throw new RelayError(code, message, {
      cause,
      remedy: 'Name a configuration file: --config FILE, or OUTBOX_RELAY_CONFIG.',
    });
  }
}
