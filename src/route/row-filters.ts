import type { OutboxTable, TableColumn } from '../core/table.ts';
import { printedValue, rowColumn } from './column.ts';
import { reachable, takesAll } from './rules.ts';
import type { RouteSpec } from './spec.ts';
import { compileTemplate } from './template.ts';

/** How SQL is written, by whoever knows Postgres. */
export interface SqlWriter {
  /** An expression of type text over the alias `o` that gives what the column's output function prints; null for null. */
  textExpression(column: TableColumn): string;
  quoteLiteral(text: string): string;
}

/** What of the routing can be said in SQL. */
export interface RowFilters {
  /**
   * A boolean SQL expression over the alias `o` that is true for exactly the rows which the routes give to the
   * destination, and else false, never null; null when that is every row.
   */
  filterSql(destination: string): string | null;
  /**
   * The column, by the name that templates use, whose text is the message key of every row of the destination; null
   * when there is none such.
   */
  keyColumn(destination: string): string | null;
}

/**
 * Says in SQL what {@link createRouter} says of rows.
 *
 * @param destinations in the order of the configuration: a row that no route takes is the business of the first
 * @throws RelayError `config_invalid` as the router does
 */
export function createRowFilters(
  specs: readonly RouteSpec[],
  table: OutboxTable,
  destinations: readonly string[],
  sql: SqlWriter,
): RowFilters {
  const [first] = destinations;
  const branches = reachable(specs);
  const rest = branches.find(takesAll)?.destination ?? first;
  const conditional = branches.filter((spec) => !takesAll(spec));
  const conditions = conditional.map(({ match }) => matchSql(match, table, sql));
  return {
    filterSql: (destination) => {
      const wanted = conditional.map((spec) => spec.destination === destination);
      const otherwise = rest === destination;
      if (wanted.every((each) => each === otherwise)) return otherwise ? null : 'false';
      const whens = conditions.map((condition, index) => `WHEN ${condition} THEN ${wanted[index] === true}`);
      return `CASE ${whens.join(' ')} ELSE ${otherwise} END`;
    },
    keyColumn: (destination) => {
      const exhaustive = branches.some(takesAll) || destination !== first;
      if (!exhaustive) return null;
      const keys = new Set(
        branches
          .filter((spec) => spec.destination === destination)
          .map(({ key, debezium }) => ((debezium?.key ?? 'plain') === 'plain' ? soleColumn(key, table) : null)),
      );
      const [key] = keys;
      return keys.size === 1 && key !== undefined ? key : null;
    },
  };
}

/** Compared byte by byte, as the router does: the column's own collation may hold unequal texts for equal. */
function matchSql(match: RouteSpec['match'], table: OutboxTable, sql: SqlWriter): string {
  const conditions = Object.entries(match).map(([name, values]) => {
    if (values.length === 0) return 'false';
    const { column } = rowColumn(table, name, 'routes');
    const text = `(${sql.textExpression(column)})`;
    const printed = values.map((value) => printedValue(column, value));
    const texts = printed.filter((value) => value !== null).map((value) => sql.quoteLiteral(value));
    const alternatives = [
      ...(texts.length > 0 ? [`${text} COLLATE "C" IN (${texts.join(', ')})`] : []),
      ...(values.includes(null) ? [`num_nulls(${text}) > 0`] : []),
    ];
    return `(${alternatives.join(' OR ')})`;
  });
  return conditions.join(' AND ');
}

/** Only columns that are read: the row's identity is no key to wait behind. */
function soleColumn(key: string | null, table: OutboxTable): string | null {
  const column = key === null ? null : compileTemplate(key, table, 'key').soleColumn;
  return column !== null && table.layout.indexOf(column) >= 0 ? column : null;
}
