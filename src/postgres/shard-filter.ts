/**
 * Which shard a row belongs to, in SQL and in TypeScript: by the first four bytes of the SHA-256 of the shard column's
 * value, shared out in intervals.
 *
 * A publication's row filter takes built-in immutable functions only, over built-in types, and no casts by way of text.
 * That leaves few: `hashtext` and its like are not documented and depend on machine and collation, `md5` fails where only
 * approved algorithms run (FIPS), `convert_to` is not immutable. So a text becomes bytes by `decode(.., 'escape')`, with its
 * backslashes doubled, since all else stands for itself there.
 */
import { createHash } from 'node:crypto';
import { RelayError } from '../core/errors.ts';
import { firstHashOf, shardOfHash, type TableShard } from '../core/sharding.ts';
import type { TableColumn } from '../core/table.ts';
import { bareType, columnReference } from './column-text.ts';

/** How the values of a type become the bytes that are hashed: by an SQL expression, and from their text. */
interface Bytes {
  readonly sql: (reference: string) => string;
  readonly ofText: (text: string) => Buffer;
}

const ofCharacters = (reference: (given: string) => string): Bytes => ({
  sql: (given) => `decode(replace((${reference(given)} COLLATE "C"), chr(92), repeat(chr(92), 2)), 'escape'::text)`,
  ofText: (text) => Buffer.from(text),
});

const ofInteger = (reference: (given: string) => string): Bytes => ({
  sql: (given) => `int8send(${reference(given)})`,
  ofText: (text) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64BE(BigInt(text));
    return bytes;
  },
});

const BYTES: Readonly<Record<string, Bytes>> = {
  text: ofCharacters((given) => given),
  'character varying': ofCharacters((given) => `(${given})::text`),
  uuid: {
    sql: (given) => `uuid_send(${given})`,
    ofText: (text) => Buffer.from(text.replaceAll('-', ''), 'hex'),
  },
  smallint: ofInteger((given) => `(${given})::bigint`),
  integer: ofInteger((given) => `(${given})::bigint`),
  bigint: ofInteger((given) => given),
};

/**
 * A condition that is true for exactly the rows of a shard, never null, and written as Postgres itself would print it, so
 * that a row filter can be compared with it. Null is the business of the first shard.
 *
 * @param reference the column in the statement, quoted as need be
 * @throws RelayError `config_invalid` for a column whose type cannot be hashed in a row filter
 */
export function shardFilter({ shard, shards, column }: TableShard, reference: string): string {
  const hash = `sha256(${bytesOf(column).sql(reference)})`;
  const bound = (of: number): string => {
    const digits = firstHashOf(of, shards).toString(16).padStart(8, '0');
    return `decode('${digits}'::text, 'hex'::text)`;
  };
  const fromHere = `(${hash} >= ${bound(shard)})`;
  if (shard === shards - 1) return fromHere;
  const beforeNext = `(${hash} < ${bound(shard + 1)})`;
  return shard === 0 ? `((${reference} IS NULL) OR ${beforeNext})` : `(${fromHere} AND ${beforeNext})`;
}

/** {@link shardFilter} for statements over the alias `o` of the outbox table. */
export function shardCondition(shard: TableShard): string {
  return shardFilter(shard, columnReference(shard.column));
}

/**
 * The shard of a value of the column, as Postgres prints it: what {@link shardFilter} says in SQL, in a database whose
 * encoding is UTF8.
 *
 * @throws RelayError `config_invalid` as there
 */
export function shardOf(text: string | null, column: TableColumn, shards: number): number {
  if (text === null) return 0;
  return shardOfHash(createHash('sha256').update(bytesOf(column).ofText(text)).digest().readUInt32BE(0), shards);
}

/** @throws RelayError `config_invalid` for a column whose type cannot be hashed in a row filter */
export function assertShardable(column: TableColumn): void {
  bytesOf(column);
}

function bytesOf({ name, type }: TableColumn): Bytes {
  const bytes = BYTES[bareType(type)];
  if (bytes !== undefined) return bytes;
  const known = Object.keys(BYTES).join(', ');
  throw new RelayError(
    'config_invalid',
    `rows cannot be shared out by the column ${name}: it is of type ${type}, and a publication can hash ${known}`,
    { remedy: 'Name another column in shardBy, or set shards: 1.' },
  );
}
