import type { Finding } from '../../core/finding.ts';
import { publicationDefects, readPublication } from '../publication.ts';
import { outboxTable } from '../table.ts';
import { quoteIdentifier } from '../identifier.ts';
import { type CheckSubject, hindersReplication, ok, warned } from './result.ts';

/** That the publication brings all rows, with all columns that are read, under the table's own name. */
export async function checkPublication(subject: CheckSubject): Promise<Finding[]> {
  const { client, publication, table, mapping } = subject;
  const state = await readPublication(client, publication, table);
  const { position, id, reads } = outboxTable(table, mapping);
  const needed = [...new Set([position, id, ...reads].map((column) => column.name))];
  const findings = publicationDefects(state, table, needed).map(({ aspect, message, sql }) =>
    hindersReplication(subject, `publication_${aspect}`, message, sql),
  );
  if (state.publishes.includes('delete')) {
    const kept = state.publishes.filter((operation) => operation !== 'delete').join(', ');
    const sql = `ALTER PUBLICATION ${quoteIdentifier(publication)} SET (publish = '${kept}');`;
    const message = `publication ${publication} publishes deletes too: the relay's own come back to it, for nothing`;
    findings.push(warned('publication_deletes', message, sql));
  }
  return findings.length > 0
    ? findings
    : [ok('publication', `publication ${publication} publishes the inserts into ${table.schema}.${table.name}`)];
}
