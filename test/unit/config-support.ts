import { loadConfig, type Config } from '../../src/config/index.ts';

export const POSTGRES = 'postgres: { url: "postgres://relay@db/shop" }\n';
export const MINIMAL = `${POSTGRES}destinations: { kafka: { type: kafka, brokers: "k:9092" } }\n`;

/** Loads YAML text; `files` are what else can be read. */
export function load(
  yaml: string,
  env: Readonly<Record<string, string>> = {},
  files: Readonly<Record<string, string>> = {},
): Config {
  const all: Readonly<Record<string, string>> = { 'relay.yaml': yaml, ...files };
  return loadConfig({
    file: 'relay.yaml',
    env,
    readFile: (path) => {
      const content = all[path];
      if (content === undefined) throw Object.assign(new Error(`no such file: ${path}`), { code: 'ENOENT' });
      return content;
    },
  });
}

/** The message that loading fails with. */
export function failure(...args: Parameters<typeof load>): string {
  try {
    load(...args);
  } catch (error) {
    if (error instanceof Error) return error.message;
  }
  throw new Error('the configuration was accepted');
}
