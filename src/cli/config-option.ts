import { readFileSync } from 'node:fs';
import { Option } from 'commander';
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
  return loadConfig({ ...(config === undefined ? {} : { file: config }), ...SURROUNDINGS });
}
