import { describe, expect, it } from 'vitest';
import { createRowFilters, type RowFilters } from '../../src/route/row-filters.ts';
import type { RouteSpec } from '../../src/route/spec.ts';
import { routeOf, tableOf } from './route-support.ts';

const SQL = {
  textExpression: ({ name }: { readonly name: string }) => `o.${name}`,
  quoteLiteral: (text: string) => `'${text}'`,
};

function filtersOf(specs: readonly RouteSpec[], destinations: readonly string[] = ['kafka', 'rabbit']): RowFilters {
  return createRowFilters(specs, tableOf(), destinations, SQL);
}

describe('filterSql', () => {
  it('is null where the destination takes every row', () => {
    expect(filtersOf([routeOf()], ['kafka']).filterSql('kafka')).toBeNull();
    expect(filtersOf([routeOf({ match: { type: ['a'] } }), routeOf()]).filterSql('kafka')).toBeNull();
    // What no route takes is the first destination's as well.
    expect(filtersOf([routeOf({ match: { type: ['a'] } })]).filterSql('kafka')).toBeNull();
  });

  it('is false where it takes none', () => {
    expect(filtersOf([routeOf()]).filterSql('rabbit')).toBe('false');
    const unreachable = routeOf({ match: { type: ['a'] }, destination: 'rabbit' });
    expect(filtersOf([routeOf(), unreachable]).filterSql('rabbit')).toBe('false');
  });

  it('tries the routes in order, and is never null', () => {
    const specs = [
      routeOf({ match: { type: ['a'], aggregatetype: ['x', 'y'] } }),
      routeOf({ match: { type: ['a', null, 'b'] }, destination: 'rabbit' }),
    ];
    const both = `((o.type) COLLATE "C" IN ('a')) AND ((o.aggregatetype) COLLATE "C" IN ('x', 'y'))`;
    const second = `((o.type) COLLATE "C" IN ('a', 'b') OR num_nulls((o.type)) > 0)`;
    const filters = filtersOf(specs);
    expect(filters.filterSql('kafka')).toBe(`CASE WHEN ${both} THEN true WHEN ${second} THEN false ELSE true END`);
    expect(filters.filterSql('rabbit')).toBe(`CASE WHEN ${both} THEN false WHEN ${second} THEN true ELSE false END`);
  });
});

describe('keyColumn', () => {
  it('is the column that the key of all routes to the destination is', () => {
    const specs = [
      routeOf({ match: { type: ['a'] }, destination: 'rabbit', key: '${type}' }),
      routeOf({ match: { type: ['b'] } }),
      routeOf(),
    ];
    expect(filtersOf(specs).keyColumn('kafka')).toBe('aggregateid');
    expect(filtersOf(specs).keyColumn('rabbit')).toBe('type');
  });

  it.each([
    ['of two columns', [routeOf({ match: { type: ['a'] } }), routeOf({ key: '${type}' })]],
    ['of several parts', [routeOf({ key: 'x${type}' })]],
    ['none', [routeOf({ key: null })]],
    ['the identity of the row', [routeOf({ key: '${id}' })]],
    ['missing from rows that no route takes', [routeOf({ match: { type: ['a'] } })]],
  ])('is null for a key that is %s', (_, specs) => {
    expect(filtersOf(specs).keyColumn('kafka')).toBeNull();
  });

  it('of a destination that gets no rows left over does not ask for a default route', () => {
    const specs = [routeOf({ match: { type: ['a'] }, destination: 'rabbit' })];
    expect(filtersOf(specs).keyColumn('rabbit')).toBe('aggregateid');
  });
});
