import { isHeaderReference, parseTemplate, referenceName } from '../core/template.ts';
import type { Problems } from './problems.ts';
import type { RouteConfig } from './schema/routes.ts';

/** What is said about sharding, with what it depends on. */
export interface ShardingSettings {
  readonly shards: number;
  readonly shardBy: string | null;
  readonly routes: readonly RouteConfig[];
  /** `limits.memory`, which the shards of a process share, in bytes. */
  readonly memoryBytes: number;
}

const MIN_SHARD_MEMORY = 2 ** 20;
const DEFAULT_COLUMN = 'aggregateid';
/** Every row has other ones: to share rows out by them would be no order at all. */
const IDENTITY: readonly string[] = ['id', 'position'];

/**
 * The column whose value tells a row's shard; null where there is one shard.
 *
 * All rows of a message key must come to one shard. A key that is nothing but a column, perhaps with fixed text around it,
 * tells that column's value. Of a key over several columns nobody can say so in general (`a-b` and `c`, `a` and `b-c`): whoever
 * names one of its columns says that equal keys have equal values there.
 */
export function resolveShardBy(settings: ShardingSettings, problems: Problems): string | null {
  const { shards, shardBy, routes, memoryBytes } = settings;
  if (shards === 1) {
    if (shardBy !== null)
      problems.add(['shardBy'], 'has no effect with one shard: set shards as well, or leave it out');
    return null;
  }
  if (memoryBytes / shards < MIN_SHARD_MEMORY)
    problems.add(['limits', 'memory'], `is shared by ${shards} shards, and each needs 1MiB at least`);
  if (shardBy !== null && IDENTITY.includes(shardBy))
    problems.add(['shardBy'], `cannot be ${shardBy}, which is another one for each row of a key`);
  const by = shardBy ?? commonColumn(routes) ?? DEFAULT_COLUMN;
  for (const [index, { key }] of routes.entries()) {
    if (key === null) continue;
    const columns = columnsOf(key);
    const fits = shardBy === null ? columns.length === 1 && columns[0] === by : columns.includes(by);
    if (!fits) problems.add(['routes', index, 'key'], unfit(by, shardBy !== null));
  }
  return by;
}

function unfit(by: string, named: boolean): string {
  if (named) return `does not contain \${${by}}: with shards, rows of one key must have one value of shardBy (${by})`;
  return `is not made of \${${by}} alone: with shards, rows of one key must be known by one column; name it in shardBy, if equal keys always have equal values of it`;
}

/** The column that the first route with a key has for it; null when it has several, none, or a header. */
function commonColumn(routes: readonly RouteConfig[]): string | null {
  const key = routes.find((route) => route.key !== null)?.key ?? null;
  const [only, ...others] = key === null ? [] : columnsOf(key);
  if (only === undefined || others.length > 0 || IDENTITY.includes(only)) return null;
  return isHeaderReference(only) ? null : only;
}

/** What a template reads of a row; of a header `headers.NAME`, by which no row can be shared out. */
function columnsOf(template: string): readonly string[] {
  return [
    ...new Set(parseTemplate(template).flatMap((part) => (typeof part === 'string' ? [] : [referenceName(part)]))),
  ];
}
