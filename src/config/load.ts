import type { z } from 'zod';
import { RelayError } from '../core/errors.ts';
import { escapeTemplate } from '../core/template.ts';
import { readOverrides, withOption, type Override } from './overrides.ts';
import { Problems, type OptionPath } from './problems.ts';
import { resolveRoutes } from './resolve-routes.ts';
import { resolveShardBy } from './resolve-sharding.ts';
import {
  DESTINATION_TYPES,
  configSchema,
  destinationSchema,
  type Config,
  type DestinationType,
  type Settings,
} from './schema/config.ts';
import { postgresSchema } from './schema/postgres.ts';
import { routeSchema, type RouteSettings } from './schema/routes.ts';
import { tableSchema } from './schema/table.ts';
import { substituteTree, systemCode, type Surroundings } from './substitute.ts';
import { withDestinationFiles, withTlsFiles, withTokenFile } from './credential-files.ts';
import { withRenewal } from './renewal.ts';
import { configWarnings } from './warnings.ts';
import { parseYaml, type YamlSource } from './yaml-source.ts';

/** Where a configuration comes from. */
export interface ConfigSources extends Surroundings {
  /** A YAML file, or several: later ones override earlier ones option by option (lists as a whole). None: the environment alone. */
  readonly file?: string | readonly string[];
}

/**
 * Reads, completes and validates the configuration.
 *
 * In this order: the files; overrides (`OUTBOX_RELAY_LOG_LEVEL=debug`); placeholders (`${VAR}`, `${file:/path}`);
 * validation with defaults; routes against destinations; certificate files.
 *
 * @throws RelayError `config_invalid`, whose message tells all problems at once, one a line, and holds no secret
 */
export function loadConfig(sources: ConfigSources): Config {
  const files = readFiles(sources);
  const { overrides, warnings } = readOverrides(sources.env);
  const overridden = overrides.reduce<unknown>(
    (tree, { path, value }) => withOption(tree, path, escapeTemplate(value)),
    files.reduce<unknown>((tree, { tree: later }) => merge(tree, withoutEmptySections(later)), {}),
  );
  const read = (surroundings: Surroundings): Config => {
    const problems = new Problems();
    const config = evaluate(overridden, surroundings, problems);
    if (config === null) throw problems.toError((path) => locate(path, files, overrides));
    return { ...config, warnings: [...warnings, ...configWarnings(config)] };
  };
  const { watched, filesRead } = watchReads(sources);
  const config = read(watched);
  return freeze(filesRead() ? withRenewal(config, () => read(sources)) : config);
}

/** Placeholders, validation, and the files of certificates and tokens; null when there are problems. */
function evaluate(tree: unknown, surroundings: Surroundings, problems: Problems): Omit<Config, 'warnings'> | null {
  const substituted = substituteTree(tree, surroundings, problems);
  const parsed = configSchema.safeParse(substituted);
  if (!parsed.success) problems.addIssues(parsed.error.issues);
  const settings = parsed.data ?? salvage(substituted);
  const config = resolve(settings, destinationTypes(substituted), surroundings, problems);
  return problems.none && isComplete(config) ? config : null;
}

/** Whether anything but the configuration itself is read: only that can change. */
function watchReads({ env, readFile }: Surroundings): { watched: Surroundings; filesRead: () => boolean } {
  let reads = 0;
  const watched: Surroundings = {
    env,
    readFile: (path) => {
      reads++;
      return readFile(path);
    },
  };
  return { watched, filesRead: () => reads > 0 };
}

/** What can be made of a tree that is not valid as a whole, so that the rest of it can be checked as well. */
type Salvaged = Partial<Omit<Settings, 'destinations' | 'routes'>> & {
  readonly destinations: Readonly<Record<string, Settings['destinations'][string] | undefined>>;
  readonly routes: readonly (RouteSettings | undefined)[];
};

function salvage(tree: unknown): Salvaged {
  const { postgres, table, destinations, routes } = isSection(tree) ? tree : {};
  const entries = isSection(destinations) ? Object.entries(destinations) : [];
  const attempt = <Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> | undefined =>
    schema.safeParse(value).data;
  const foundPostgres = attempt(postgresSchema, postgres);
  const foundTable = attempt(tableSchema, table);
  return {
    ...(foundPostgres && { postgres: foundPostgres }),
    ...(foundTable && { table: foundTable }),
    destinations: Object.fromEntries(entries.map(([name, value]) => [name, attempt(destinationSchema, value)])),
    routes: Array.isArray(routes) ? routes.map((route: unknown) => attempt(routeSchema, route)) : [],
  };
}

/** The types as they are written: routes can be checked against a destination that is at fault elsewhere. */
function destinationTypes(tree: unknown): ReadonlyMap<string, DestinationType | null> {
  const destinations = isSection(tree) && isSection(tree.destinations) ? tree.destinations : {};
  return new Map(
    Object.entries(destinations).map(([name, value]) => [
      name,
      DESTINATION_TYPES.find((type) => isSection(value) && value.type === type) ?? null,
    ]),
  );
}

/** The checks and completions that need more than one option. */
function resolve(
  settings: Settings | Salvaged,
  types: ReadonlyMap<string, DestinationType | null>,
  { readFile }: Surroundings,
  problems: Problems,
) {
  const destinations = Object.entries<Settings['destinations'][string] | undefined>(settings.destinations).map(
    ([name, destination]) =>
      [name, destination && withDestinationFiles(destination, ['destinations', name], readFile, problems)] as const,
  );
  const given = settings.routes.length > 0 ? settings.routes : impliedRoutes(types, problems);
  const routes = resolveRoutes(given, { destinations: types, columns: settings.table?.columns ?? null }, problems);
  const { shards, shardBy, limits } = settings;
  return {
    ...settings,
    ...(shards !== undefined &&
      shardBy !== undefined &&
      limits !== undefined && {
        shardBy: resolveShardBy({ shards, shardBy, routes, memoryBytes: limits.memory }, problems),
      }),
    ...(settings.postgres && { postgres: withTlsFiles(settings.postgres, ['postgres'], readFile, problems) }),
    ...(settings.admin && {
      admin: withTokenFile(withTlsFiles(settings.admin, ['admin'], readFile, problems), readFile, problems),
    }),
    destinations: Object.fromEntries(destinations),
    routes,
  };
}

type Resolved = ReturnType<typeof resolve>;

/** True of whatever passed validation; tells the compiler so. */
function isComplete(config: Resolved): config is Resolved & Omit<Config, 'warnings'> {
  return (
    config.postgres !== undefined &&
    config.table !== undefined &&
    config.admin !== undefined &&
    !Object.values(config.destinations).includes(undefined)
  );
}

/** Without routes everything goes to the only destination. */
function impliedRoutes(
  types: ReadonlyMap<string, DestinationType | null>,
  problems: Problems,
): readonly RouteSettings[] {
  const [only, ...others] = types.keys();
  if (only === undefined) return [];
  if (others.length === 0) return [routeSchema.parse({ destination: only })];
  problems.add(['routes'], 'is missing: with several destinations, routes must say which rows go where');
  return [];
}

function readFiles({ file, readFile }: ConfigSources): readonly YamlSource[] {
  const names = file === undefined ? [] : typeof file === 'string' ? [file] : file;
  return names.map((name) => {
    let text: string;
    try {
      text = readFile(name);
    } catch (error) {
      throw new RelayError('config_invalid', `cannot read the configuration file ${name} (${systemCode(error)})`, {
        remedy: 'Name the file with --config FILE.',
      });
    }
    const source = parseYaml(text, name);
    if (source.errors.length > 0) {
      throw new RelayError(
        'config_invalid',
        ['the configuration is not valid YAML:', ...source.errors.map((error) => `  - ${error}`)].join('\n'),
      );
    }
    return source;
  });
}

function isSection(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A section whose options are all commented out is null in YAML; it is meant as not there. */
function withoutEmptySections(tree: unknown): unknown {
  if (tree === undefined || tree === null) return {};
  if (!isSection(tree)) return tree;
  return Object.fromEntries(Object.entries(tree).filter(([, value]) => value !== null));
}

function merge(earlier: unknown, later: unknown): unknown {
  if (!isSection(earlier) || !isSection(later)) return later;
  const merged = Object.entries(later).map(
    ([key, value]) => [key, key in earlier ? merge(earlier[key], value) : value] as const,
  );
  return { ...earlier, ...Object.fromEntries(merged) };
}

/** Where an option, or else the section around it, was given. */
function locate(path: OptionPath, files: readonly YamlSource[], overrides: readonly Override[]): string | null {
  const override = overrides.find((candidate) => candidate.path.join('\0') === path.join('\0'));
  if (override !== undefined) return `from ${override.variable}`;
  for (let length = path.length; length > 0; length--) {
    const found = files.map((file) => file.locate(path.slice(0, length))).filter((place) => place !== null);
    const place = found.at(-1);
    if (place !== undefined) return place;
  }
  return null;
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(freeze);
  }
  return value;
}
