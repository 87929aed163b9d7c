import type { Config } from '../config/index.ts';
import type { Address } from '../core/message.ts';
import { constantText } from '../core/template.ts';
import type { OutboxTable } from '../core/table.ts';
import { textExpression } from '../postgres/column-text.ts';
import { quoteLiteral } from '../postgres/identifier.ts';
import type { TableMapping } from '../postgres/table.ts';
import { createRowFilters, type RowFilters } from '../route/row-filters.ts';
import { columnsUsed, type AddressTemplate, type RouteSpec } from '../route/spec.ts';

/** The configured routes as the router takes them. */
export function routeSpecs(config: Config): readonly RouteSpec[] {
  return config.routes;
}

/** Which rows are whose, as far as SQL can tell. @throws RelayError `config_invalid` */
export function rowFilters(config: Config, table: OutboxTable): RowFilters {
  return createRowFilters(routeSpecs(config), table, Object.keys(config.destinations), {
    textExpression,
    quoteLiteral,
  });
}

/** The configured table with all columns that the routes use, the one that carries traces, and the one that rows are shared out by. */
export function tableMapping(config: Config): TableMapping {
  const { enabled, column } = config.tracing;
  const others = [enabled ? column : null, config.shardBy].filter((name) => name !== null);
  return { ...config.table, extra: [...new Set([...columnsUsed(routeSpecs(config)), ...others])] };
}

/** Where a route and its dead letters lead. A topic that is rewritten is not among them: the template does not tell it. */
export function addressTemplates(route: Config['routes'][number]): readonly AddressTemplate[] {
  const { address, deadLetter, rewrite } = route;
  const own = rewrite === null || address.kind === 'exchange' ? [address] : [];
  return deadLetter === null ? own : [...own, deadLetter];
}

/**
 * Where a destination's routes and dead letters lead, as far as no column has a say in it. Of an exchange only the name
 * must be known: which routing keys rows will have does not matter to whether it is there and what is behind it.
 */
export function fixedAddresses(config: Config, destination: string): readonly Address[] {
  return config.routes
    .filter((route) => route.destination === destination)
    .flatMap(addressTemplates)
    .flatMap((address) => fixedAddress(address) ?? []);
}

function fixedAddress(address: AddressTemplate): Address | null {
  if (address.kind === 'topic') {
    const topic = constantText(address.topic);
    return topic === null ? null : { kind: 'topic', topic };
  }
  const exchange = constantText(address.exchange);
  const routingKey = constantText(address.routingKey);
  if (exchange === null || (exchange === '' && routingKey === null)) return null;
  return { kind: 'exchange', exchange, routingKey: routingKey ?? address.routingKey };
}
