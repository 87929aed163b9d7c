import { parseTemplate } from '../core/template.ts';
import { cloudEventsWarnings, resolveCloudEvents } from './resolve-cloudevents.ts';
import type { OptionPath, Problems } from './problems.ts';
import type { ColumnsConfig, DestinationType } from './schema/config.ts';
import {
  DEFAULT_EXCHANGE,
  DEFAULT_ROUTING_KEY,
  DEFAULT_TOPIC,
  type AddressTemplates,
  type RouteConfig,
  type RouteSettings,
} from './schema/routes.ts';
import { didYouMean } from '../core/suggest.ts';

/** What routes are checked against. */
export interface RouteContext {
  /** By name; null where the type is not known. */
  readonly destinations: ReadonlyMap<string, DestinationType | null>;
  /** Null when the table section is at fault itself. */
  readonly columns: ColumnsConfig | null;
}

type AddressSettings = Pick<RouteSettings, 'topic' | 'exchange' | 'routingKey'> & {
  readonly partition?: string | null;
};

/**
 * Gives each route the address that its kind of destination takes, and checks the routes against destinations, columns
 * and each other. An undefined entry is a route that is at fault already.
 */
export function resolveRoutes(
  routes: readonly (RouteSettings | undefined)[],
  context: RouteContext,
  problems: Problems,
): readonly RouteConfig[] {
  checkOrder(routes, problems);
  return routes.flatMap((route, index) => {
    if (route === undefined) return [];
    const path = ['routes', index];
    const type = destinationType(route, context, path, problems);
    const address = addressOf(route, type, path, problems);
    const { columns } = context;
    const resolved: RouteConfig = {
      match: route.match ?? {},
      destination: route.destination,
      address,
      rewrite: route.rewrite,
      partition: route.partition,
      key: route.key,
      headers: route.headers,
      contentType: route.contentType,
      cloudEvents: resolveCloudEvents(route.cloudEvents, { route, address: address.kind, columns }, path, problems),
      onError: route.onError,
      deadLetter: deadLetterOf(route, type, [...path, 'deadLetter'], problems),
      debezium: route.debezium,
    };
    checkColumns(route, resolved, columns, path, problems);
    return [resolved];
  });
}

/** What is permitted and yet probably not meant. */
export function routeWarnings(routes: readonly RouteConfig[], destinations: Iterable<string>): readonly string[] {
  const unused = [...destinations].filter((name) => !routes.some((route) => route.destination === name));
  const idle = routes.filter((route) => route.deadLetter !== null && route.onError !== 'dead-letter');
  return [
    ...(routes.some((route) => Object.keys(route.match).length === 0)
      ? []
      : [
          'there is no default route: a row that no route matches is set aside by itself, without its key (add a route without match at the end)',
        ]),
    ...unused.map((name) => `no route leads to the destination '${name}'`),
    ...cloudEventsWarnings(routes),
    ...idle.map((route) => `routes[${routes.indexOf(route)}].deadLetter has no effect: onError is ${route.onError}`),
  ];
}

/** A route without a match takes every row: what stands behind it never applies. */
function checkOrder(routes: readonly (RouteSettings | undefined)[], problems: Problems): void {
  for (const [index, route] of routes.entries()) {
    if (route === undefined || route.match !== undefined || index === routes.length - 1) continue;
    problems.add(
      ['routes', index],
      'has no match and takes every row: put it last, or the routes behind it never apply',
    );
  }
}

function destinationType(
  { destination }: RouteSettings,
  { destinations }: RouteContext,
  path: OptionPath,
  problems: Problems,
): DestinationType | null {
  const type = destinations.get(destination);
  if (type !== undefined) return type;
  const near = didYouMean(destination, destinations.keys());
  const hint = near === null ? `there are ${[...destinations.keys()].join(', ') || 'none'}` : `did you mean '${near}'?`;
  problems.add([...path, 'destination'], `no destination has the name '${destination}': ${hint}`);
  return null;
}

function addressOf(
  route: AddressSettings,
  type: DestinationType | null,
  path: OptionPath,
  problems: Problems,
): AddressTemplates {
  const { topic, exchange, routingKey } = route;
  refuseForeign(route, type, path, problems);
  const asExchange = type === 'rabbitmq' || (type !== 'kafka' && (exchange !== undefined || routingKey !== undefined));
  if (!asExchange) return { kind: 'topic', topic: topic ?? DEFAULT_TOPIC };
  return { kind: 'exchange', exchange: exchange ?? DEFAULT_EXCHANGE, routingKey: routingKey ?? DEFAULT_ROUTING_KEY };
}

function refuseForeign(
  route: AddressSettings,
  type: DestinationType | null,
  path: OptionPath,
  problems: Problems,
): void {
  if (type === 'kafka') {
    for (const option of ['exchange', 'routingKey'] as const) {
      if (route[option] === undefined) continue;
      problems.add([...path, option], 'is for RabbitMQ, and the destination is of type kafka: use topic');
    }
  }
  if (type === 'rabbitmq' && (route.partition ?? null) !== null) {
    problems.add([...path, 'partition'], 'is for Kafka, and the destination is of type rabbitmq');
  }
  if (type === 'rabbitmq' && route.topic !== undefined) {
    problems.add(
      [...path, 'topic'],
      'is for Kafka, and the destination is of type rabbitmq: use exchange and routingKey',
    );
  }
  if (type === 'console' && route.topic !== undefined && (route.exchange ?? route.routingKey) !== undefined) {
    problems.add([...path, 'topic'], 'expected either a topic, or an exchange and a routing key');
  }
}

function deadLetterOf(
  { onError, deadLetter }: RouteSettings,
  type: DestinationType | null,
  path: OptionPath,
  problems: Problems,
): AddressTemplates | null {
  if (deadLetter === null) {
    if (onError === 'dead-letter') {
      const example = type === 'rabbitmq' ? '{ exchange: dead-letters }' : '{ topic: dead-letters }';
      problems.add(path, `is missing: onError: dead-letter needs an address, such as ${example}`);
    }
    return null;
  }
  const option = type === 'rabbitmq' ? 'exchange' : 'topic';
  const given = type === 'console' ? (deadLetter.topic ?? deadLetter.exchange) : deadLetter[option];
  if (type !== null && given === undefined)
    problems.add([...path, option], 'is missing: expected where dead letters go');
  return addressOf(deadLetter, type, path, problems);
}

/** A template or match can only use columns that the table has. */
function checkColumns(
  route: RouteSettings,
  { address, cloudEvents, deadLetter }: RouteConfig,
  columns: ColumnsConfig | null,
  path: OptionPath,
  problems: Problems,
): void {
  if (columns === null) return;
  const absent = absentColumns(columns);
  const check = (at: OptionPath, names: readonly string[]): void => {
    for (const name of names.filter((candidate) => absent.has(candidate))) {
      problems.add(
        at,
        `uses the column ${name}, but table.columns.${absent.get(name) ?? name} is null: name the column there, or do without it here`,
      );
    }
  };
  const checkAll = (at: OptionPath, templates: object): void => {
    for (const [option, text] of Object.entries(templates)) {
      if (option !== 'kind' && typeof text === 'string') check([...at, option], columnsOf(text));
    }
  };
  check([...path, 'match'], Object.keys(route.match ?? {}));
  checkAll([...path, 'debezium'], { envelopeSchema: route.debezium?.envelopeSchema });
  check([...path, 'debezium', 'envelope'], Object.values(route.debezium?.envelope ?? {}));
  checkAll(path, { ...address, key: route.key, partition: route.partition });
  checkAll([...path, 'headers'], route.headers);
  if (cloudEvents !== null) {
    const { source, type, subject, time, dataschema, extensions } = cloudEvents;
    checkAll([...path, 'cloudEvents'], { source, type, subject, time, dataschema });
    checkAll([...path, 'cloudEvents', 'extensions'], extensions);
  }
  checkAll([...path, 'deadLetter'], deadLetter ?? {});
}

/** By the names that templates use, the option that says that the column is not there. */
function absentColumns(columns: ColumnsConfig): ReadonlyMap<string, string> {
  const options = {
    aggregatetype: 'aggregatetype',
    type: 'type',
    headers: 'headers',
    created_at: 'createdAt',
  } as const;
  return new Map(Object.entries(options).filter(([, option]) => columns[option] === null));
}

function columnsOf(template: string): readonly string[] {
  return parseTemplate(template).flatMap((part) => (typeof part === 'string' ? [] : [part.column]));
}
