import type { OutboxRow } from '../core/row.ts';
import type { OutboxTable } from '../core/table.ts';
import { printedValue, type RowColumn, rowColumn } from './column.ts';
import type { RouteSpec } from './spec.ts';

/** The routes that can take a row at all: up to the first without a match, which takes every row. */
export function reachable<Spec extends Pick<RouteSpec, 'match'>>(specs: readonly Spec[]): readonly Spec[] {
  const last = specs.findIndex(takesAll);
  return last < 0 ? specs : specs.slice(0, last + 1);
}

/** Whether a route takes every row. */
export function takesAll(spec: Pick<RouteSpec, 'match'>): boolean {
  return Object.keys(spec.match).length === 0;
}

/**
 * Compiles which route takes a row: the first, in order, whose match fits.
 *
 * @returns a function that gives the index of the route, or -1 when none takes the row
 * @throws RelayError `config_invalid` when a match names a column that is not read
 */
export function compileRules(specs: readonly RouteSpec[], table: OutboxTable): (row: OutboxRow) => number {
  const columns = new Set(specs.flatMap(({ match }) => Object.keys(match)));
  const routes = reachable(specs);
  const last = routes.at(-1);
  const otherwise = last !== undefined && takesAll(last) ? routes.length - 1 : -1;
  if (columns.size === 0) return () => otherwise;
  const read = new Map([...columns].map((name) => [name, rowColumn(table, name, matchOption(specs, name))]));
  const [sole] = read.values();
  return read.size === 1 && sole !== undefined ? byOneColumn(routes, sole, otherwise) : byAll(routes, read, otherwise);
}

/** The common case: all matches are on one column, so that one look-up finds the route. */
function byOneColumn(routes: readonly RouteSpec[], column: RowColumn, otherwise: number): (row: OutboxRow) => number {
  const routeOf = new Map<string | null, number>();
  for (const [index, { match }] of routes.entries()) {
    for (const value of Object.values(match).flat()) {
      const printed = printedValue(column.column, value);
      if (!routeOf.has(printed)) routeOf.set(printed, index);
    }
  }
  return (row) => routeOf.get(column.read(row)) ?? otherwise;
}

function byAll(
  routes: readonly RouteSpec[],
  columns: ReadonlyMap<string, RowColumn>,
  otherwise: number,
): (row: OutboxRow) => number {
  const readers = [...columns.values()];
  const conditions = routes.map(({ match }) =>
    readers.flatMap(({ name, column }, at) => {
      const values = Object.hasOwn(match, name) ? match[name] : undefined;
      if (values === undefined) return [];
      return [{ column: at, values: new Set(values.map((value) => printedValue(column, value))) }];
    }),
  );
  return (row) => {
    const texts = readers.map((column) => column.read(row));
    const fits = ({ column, values }: { column: number; values: ReadonlySet<string | null> }): boolean =>
      values.has(texts[column] ?? null);
    const found = conditions.findIndex((all) => all.every(fits));
    return found < 0 ? otherwise : found;
  };
}

function matchOption(specs: readonly RouteSpec[], column: string): string {
  return `routes[${specs.findIndex(({ match }) => Object.hasOwn(match, column))}].match`;
}
