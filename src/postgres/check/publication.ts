import { RelayError } from '../../core/errors.ts';
import type { Finding } from '../../core/finding.ts';
import { ONE_SHARD, type TableShard } from '../../core/sharding.ts';
import { publicationDefects, readPublication, shardPublication } from '../publication.ts';
import { tableShards } from '../sharding.ts';
import { outboxTable } from '../table.ts';
import { quoteIdentifier } from '../identifier.ts';
import { type CheckSubject, failed, hindersReplication, ok, warned } from './result.ts';

/** That each shard's publication brings all its rows, with all columns that are read, under the table's own name. */
export async function checkPublications(subject: CheckSubject): Promise<Finding[]> {
  const findings: Finding[] = [];
  const { publication, sharding = ONE_SHARD } = subject;
  for (const shard of shardsOf(subject)) {
    const name = shardPublication(publication, shard?.shard ?? 0, sharding.shards);
    findings.push(...(await checkPublication(subject, name, shard)));
  }
  return findings;
}

/** That rows can be shared out by the configured column. */
export function checkSharding(subject: CheckSubject): Finding[] {
  const { sharding = ONE_SHARD } = subject;
  if (sharding.shards === 1) return [];
  try {
    tableShards(sharding, subject.table);
    return [ok('shards', `rows can be shared out to ${sharding.shards} shards by ${sharding.by ?? ''}`)];
  } catch (error) {
    if (error instanceof RelayError) return [failed('shards', error.message, error.remedy)];
    throw error;
  }
}

/** None where they cannot be told: {@link checkSharding} says why. */
function shardsOf({ sharding = ONE_SHARD, table }: CheckSubject): readonly (TableShard | null)[] {
  try {
    return tableShards(sharding, table);
  } catch (error) {
    if (error instanceof RelayError) return [];
    throw error;
  }
}

async function checkPublication(subject: CheckSubject, name: string, shard: TableShard | null): Promise<Finding[]> {
  const { client, table, mapping } = subject;
  const state = await readPublication(client, name, table, shard);
  const { position, id, reads } = outboxTable(table, mapping);
  const needed = [...new Set([position, id, ...reads].map((column) => column.name))];
  const findings = publicationDefects(state, table, needed).map(({ aspect, message, sql }) =>
    hindersReplication(subject, `publication_${aspect}`, message, sql),
  );
  if (state.publishes.includes('delete')) {
    const kept = state.publishes.filter((operation) => operation !== 'delete').join(', ');
    const sql = `ALTER PUBLICATION ${quoteIdentifier(name)} SET (publish = '${kept}');`;
    const message = `publication ${name} publishes deletes too: the relay's own come back to it, for nothing`;
    findings.push(warned('publication_deletes', message, sql));
  }
  if (findings.length > 0) return findings;
  const rows = shard === null ? '' : ` of shard ${shard.shard}`;
  return [ok('publication', `publication ${name} publishes the inserts${rows} into ${table.schema}.${table.name}`)];
}
