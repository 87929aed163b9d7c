import { readFileSync } from 'node:fs';
import { Option } from 'commander';
import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/index.ts';

/** What every command that needs the configuration takes. */
export interface ConfigOption {
  readonly config?: string;
}

/** `--config FILE`. */
export function configOption(): Option {
  return new Option('-c, --config <file>', 'configuration file (YAML)').env('OUTBOX_RELAY_CONFIG');
}

/** Loads what `--config` names, completed by the environment. @throws RelayError `config_invalid` */
export function configOf({ config }: ConfigOption): Config {
  return loadConfig({
    ...(config === undefined ? {} : { file: config }),
    env: process.env,
    readFile: (path) => readFileSync(path, 'utf8'),
  });
}
