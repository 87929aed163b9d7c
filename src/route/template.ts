import { RelayError } from '../core/errors.ts';
import type { OutboxRow } from '../core/row.ts';
import type { OutboxTable } from '../core/table.ts';
import { parseTemplate, referenceName, type TemplateReference } from '../core/template.ts';
import { type RowColumn, rowColumn } from './column.ts';
import { parseHeaders } from './headers.ts';

/** A template, compiled against the columns that are read. */
export interface Template {
  /** The text, when it is the same for all rows; else null. */
  readonly constant: string | null;
  /** The column, or `headers.NAME`, when the template is nothing but that; else null. */
  readonly soleColumn: string | null;
  /**
   * Fills the template in. Null only for a template of a single column whose value is null.
   *
   * @throws RelayError `route_template` when a column among others is null, `route_headers` where it names a header
   */
  readonly render: (row: OutboxRow) => string | null;
}

/**
 * How a column's value is written into a template.
 *
 * @param among whether other text stands beside it
 */
export type ColumnWriting = (column: RowColumn, among: boolean) => RowColumn['read'];

/**
 * Compiles a template.
 *
 * @param where the option it stands in, for messages, e.g. `routes[2].topic`
 * @param writing default: the text that Postgres prints
 * @throws RelayError `config_invalid` when it is malformed or names a column that is not read
 */
export function compileTemplate(
  text: string,
  table: OutboxTable,
  where: string,
  writing: ColumnWriting = ({ read }) => read,
): Template {
  const parsed = parse(text, where);
  const parts = parsed.map((part) => {
    if (typeof part === 'string') return part;
    const column = referencedColumn(part, table, where);
    return { ...column, read: writing(column, parsed.length > 1) };
  });
  const [first, ...others] = parts;
  if (first === undefined) return { constant: '', soleColumn: null, render: () => '' };
  if (others.length > 0) return { constant: null, soleColumn: null, render: renderParts(parts, where) };
  if (typeof first === 'string') return { constant: first, soleColumn: null, render: () => first };
  return { constant: null, soleColumn: first.name, render: first.read };
}

/**
 * Compiles a template that must come to something: neither null nor, unless it is written so, empty.
 *
 * @returns a function that throws RelayError `route_template` for a row which cannot fill it in
 */
export function compileRequired(text: string, table: OutboxTable, where: string): (row: OutboxRow) => string {
  const template = compileTemplate(text, table, where);
  const { constant } = template;
  if (constant !== null) return () => constant;
  return (row) => {
    const result = template.render(row);
    if (result === null) throw nullColumn(template.soleColumn, where);
    if (result === '') throw new RelayError('route_template', `${where}: the template comes to an empty text`);
    return result;
  };
}

function renderParts(parts: readonly (string | RowColumn)[], where: string): Template['render'] {
  return (row) => {
    let text = '';
    for (const part of parts) {
      if (typeof part === 'string') {
        text += part;
        continue;
      }
      const value = part.read(row);
      if (value === null) throw nullColumn(part.name, where);
      text += value;
    }
    return text;
  };
}

/** The text of a column, or of a header as of a column of type text; null where the row does not have that header. */
function referencedColumn(reference: TemplateReference, table: OutboxTable, where: string): RowColumn {
  const column = rowColumn(table, reference.column, where);
  const { header } = reference;
  if (header === null) return column;
  const name = referenceName(reference);
  return {
    name,
    column: { name, type: 'text' },
    read: (row) => {
      const text = column.read(row);
      return text === null ? null : (parseHeaders(text).find(([each]) => each === header)?.[1] ?? null);
    },
  };
}

function parse(text: string, where: string): ReturnType<typeof parseTemplate> {
  try {
    return parseTemplate(text);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new RelayError('config_invalid', `${where}: ${error.message}`, { cause: error });
  }
}

function nullColumn(column: string | null, where: string): RelayError {
  return new RelayError('route_template', `${where}: the column '${column}' is null`);
}
