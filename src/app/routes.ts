import type { Config } from '../config/index.ts';
import type { Address } from '../core/message.ts';
import { parseTemplate } from '../core/template.ts';
import type { TableMapping } from '../postgres/table.ts';
import { columnsUsed, type AddressTemplate, type RouteSpec } from '../route/spec.ts';

/** The configured routes as the router takes them. */
export function routeSpecs(config: Config): readonly RouteSpec[] {
  return config.routes;
}

/** The configured table with all columns that the routes use. */
export function tableMapping(config: Config): TableMapping {
  return { ...config.table, extra: columnsUsed(routeSpecs(config)) };
}

/** Where a destination's routes and dead letters lead, as far as no column has a say in it. */
export function fixedAddresses(config: Config, destination: string): readonly Address[] {
  return config.routes
    .filter((route) => route.destination === destination)
    .flatMap(({ address, deadLetter }) => (deadLetter === null ? [address] : [address, deadLetter]))
    .filter((address) => templatesOf(address).every(isConstant));
}

function templatesOf(address: AddressTemplate): readonly string[] {
  return address.kind === 'topic' ? [address.topic] : [address.exchange, address.routingKey];
}

function isConstant(template: string): boolean {
  return parseTemplate(template).every((part) => typeof part === 'string');
}
