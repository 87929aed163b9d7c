import type { OutboxTable } from '../../core/table.ts';
import { bareType, binaryExpression, columnReference, textExpression } from '../../postgres/column-text.ts';
import { fromUnpublished, type RowFilters } from '../../postgres/unpublished-rows.ts';

/**
 * The query of a pass: position, id, time, then the columns that a row carries; lowest position first.
 *
 * @param limit null: up to the end
 */
export function passQuery(table: OutboxTable, filters: RowFilters, destination: string, limit: number | null): string {
  const columns = [
    `${columnReference(table.position)}::bigint`,
    textExpression(table.id),
    creationTime(table),
    ...table.reads.map((column) => binaryExpression(column)),
  ];
  return (
    `SELECT ${columns.join(', ')} ${fromUnpublished(table, filters, destination)}` +
    ` ORDER BY ${columnReference(table.position)}${limit === null ? '' : ` LIMIT ${limit}`}`
  );
}

/** The statement that sends the result of {@link passQuery}. */
export function copyStatement(query: string): string {
  return `COPY (${query}) TO STDOUT (FORMAT binary)`;
}

function creationTime({ createdAt }: OutboxTable): string {
  const isTime = createdAt !== null && /^(timestamp|date)\b/.test(bareType(createdAt.type));
  return isTime ? `${columnReference(createdAt)}::timestamptz` : 'NULL::timestamptz';
}
