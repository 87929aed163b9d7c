import type { Finding } from '../../core/finding.ts';
import { query } from '../catalog.ts';
import { quoteIdentifier, quoteLiteral, quoteTable } from '../identifier.ts';
import { type OrderColumn, readOrderColumn, uniqueIndex } from '../order-column.ts';
import { type CheckSubject, failed, ok, warned } from './result.ts';

/** The order column: unique, never null, and numbered by a sequence that gives numbers out one by one. */
export async function checkOrderColumn(subject: CheckSubject): Promise<Finding[]> {
  const { client, table, mapping } = subject;
  const order = await readOrderColumn(client, table, mapping.columns.position);
  const findings: Finding[] = [];
  const outbox = quoteTable(table);
  const column = quoteIdentifier(order.name);
  if (!order.indexed) {
    const sql = uniqueIndex(table, order.name, true);
    findings.push(failed('order_index', `no unique index begins with ${order.name}`, sql));
  }
  if (order.column?.notNull === false) {
    const sql = `ALTER TABLE ${outbox} ALTER COLUMN ${column} SET NOT NULL;`;
    findings.push(failed('order_not_null', `${order.name} may be null`, sql));
  }
  findings.push(...sequenceFindings(subject, order));
  return findings.length > 0
    ? findings
    : [ok('order_column', `${order.name} is unique, never null, and numbered with CACHE 1`)];
}

function sequenceFindings({ table }: CheckSubject, { name, sequence }: OrderColumn): Finding[] {
  if (sequence === null) {
    const outbox = quoteTable(table);
    const remedy = `ALTER TABLE ${outbox} ALTER COLUMN ${quoteIdentifier(name)} DROP DEFAULT, ALTER COLUMN ${quoteIdentifier(name)} ADD GENERATED ALWAYS AS IDENTITY (CACHE 1);
SELECT setval(pg_get_serial_sequence(${quoteLiteral(outbox)}, ${quoteLiteral(name)}), (SELECT coalesce(max(${quoteIdentifier(name)}), 0) + 1 FROM ${outbox}), false);`;
    const message = `${name} is not numbered by a sequence: order per key is kept only if its values rise as rows are inserted`;
    return [warned('order_sequence', message, remedy)];
  }
  const findings: Finding[] = [];
  const of = quoteTable(sequence);
  if (sequence.cache !== 1n) {
    const message = `the sequence of ${name} has CACHE ${sequence.cache}: sessions number the events of a key out of order`;
    findings.push(
      failed('order_cache', message, `ALTER SEQUENCE ${of} CACHE 1; -- open sessions use up what they hold`),
    );
  }
  if (sequence.cycles)
    findings.push(
      failed('order_cycle', `the sequence of ${name} begins again at its end`, `ALTER SEQUENCE ${of} NO CYCLE;`),
    );
  if (!sequence.ascending)
    findings.push(
      failed('order_direction', `the sequence of ${name} counts down`, `ALTER SEQUENCE ${of} INCREMENT BY 1;`),
    );
  return findings;
}

/** The dedup key must be there in every row. */
export function checkIdColumn({ table, mapping }: CheckSubject): Finding[] {
  const name = mapping.columns.id;
  const column = table.columns.find((candidate) => candidate.name === name);
  if (column?.notNull === true) return [ok('id_column', `${name} is never null`)];
  const sql = `ALTER TABLE ${quoteTable(table)} ALTER COLUMN ${quoteIdentifier(name)} SET NOT NULL;`;
  return [failed('id_column', `${name} may be null, and is the dedup key`, sql)];
}

/** That the log has all of the table's rows, under the name that is configured. */
export async function checkWhole({ client, table }: CheckSubject): Promise<Finding[]> {
  const outbox = quoteTable(table);
  const [row] = await query<{ partition_of: string | null; children: string[] }>(
    client,
    `SELECT (SELECT i.inhparent::regclass::text FROM pg_inherits i WHERE i.inhrelid = $1 AND c.relispartition) AS partition_of,
            ARRAY(SELECT i.inhrelid::regclass::text FROM pg_inherits i WHERE i.inhparent = $1 AND c.relkind = 'r') AS children
     FROM pg_class c WHERE c.oid = $1`,
    [table.oid],
  );
  const findings: Finding[] = [];
  if (typeof row?.partition_of === 'string') {
    const remedy = `Set table.name to ${row.partition_of}.`;
    findings.push(failed('table_root', `the table is a partition of ${row.partition_of}`, remedy));
  }
  if (row !== undefined && row.children.length > 0) {
    const remedy = row.children.map((child) => `ALTER TABLE ${child} NO INHERIT ${outbox};`).join('\n');
    const message = `${row.children.join(', ')} inherit from the table: their rows would be read as its own, and not be streamed`;
    findings.push(failed('table_children', message, remedy));
  }
  return findings.length > 0 ? findings : [ok('table_whole', 'the table stands by itself')];
}

/** Row security would hide rows, or keep them from being deleted; the relay's sessions refuse to run under it. */
export async function checkRowSecurity({ client, table, role }: CheckSubject): Promise<Finding[]> {
  const [row] = await query<{ active: boolean }>(client, 'SELECT row_security_active($1::oid) AS active', [table.oid]);
  if (row?.active === false) return [ok('row_security', `row security does not apply to ${role}`)];
  const remedy = `ALTER ROLE ${quoteIdentifier(role)} BYPASSRLS; -- or: ALTER TABLE ${quoteTable(table)} DISABLE ROW LEVEL SECURITY;`;
  return [failed('row_security', `row security of the table is in force for ${role}`, remedy)];
}

/** Whatever can keep a delete from deleting: triggers before it, rules instead of it, foreign keys to the rows. */
export async function checkDeleteHindrances({ client, table }: CheckSubject): Promise<Finding[]> {
  const rows = await query<{ kind: 'trigger' | 'rule' | 'foreign_key'; name: string; relation: string }>(
    client,
    // tgtype: 1 for each row, 2 before, 8 delete. tgenabled: O and A fire in an ordinary session.
    `WITH tree AS (SELECT $1::oid AS oid UNION SELECT relid FROM pg_partition_tree($1::oid))
     SELECT 'trigger' AS kind, tgname AS name, tgrelid::regclass::text AS relation FROM pg_trigger
       WHERE tgrelid IN (SELECT oid FROM tree) AND NOT tgisinternal AND tgenabled IN ('O', 'A')
         AND tgtype & 8 = 8 AND tgtype & 2 = 2 AND tgtype & 1 = 1
     UNION ALL SELECT 'rule', rulename, ev_class::regclass::text FROM pg_rewrite
       WHERE ev_class IN (SELECT oid FROM tree) AND ev_type = '4' AND ev_enabled IN ('O', 'A')
     UNION ALL SELECT 'foreign_key', conname, conrelid::regclass::text FROM pg_constraint
       WHERE contype = 'f' AND conparentid = 0 AND confrelid IN (SELECT oid FROM tree)`,
    [table.oid],
  );
  if (rows.length === 0) return [ok('delete', 'nothing stands in the way of deleting rows')];
  return rows.map(({ kind, name, relation }) => {
    const quoted = quoteIdentifier(name);
    switch (kind) {
      case 'trigger':
        return failed(
          'delete_trigger',
          `trigger ${name} runs before each delete and may prevent it`,
          `ALTER TABLE ${relation} DISABLE TRIGGER ${quoted};`,
        );
      case 'rule':
        return failed(
          'delete_rule',
          `rule ${name} rewrites deletes`,
          `ALTER TABLE ${relation} DISABLE RULE ${quoted};`,
        );
      case 'foreign_key':
        return failed(
          'delete_foreign_key',
          `${relation} refers to outbox rows by ${name}: deleting them fails, or deletes there too`,
          `ALTER TABLE ${relation} DROP CONSTRAINT ${quoted};`,
        );
    }
  });
}
