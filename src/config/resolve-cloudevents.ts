import { AMQP_PREFIXES, extensionNameAdvice, isEventHeader, TRACING_ATTRIBUTES } from '../core/cloudevents.ts';
import type { OptionPath, Problems } from './problems.ts';
import type { CloudEventsConfig, CloudEventsSettings } from './schema/cloudevents.ts';
import type { ColumnsConfig } from './schema/config.ts';
import type { AddressTemplates, RouteConfig, RouteSettings } from './schema/routes.ts';

/** What the section stands in. */
export interface CloudEventsContext {
  readonly route: RouteSettings;
  readonly address: AddressTemplates['kind'];
  /** Null when the table section is at fault itself. */
  readonly columns: ColumnsConfig | null;
}

const MEDIA_TYPE = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(?:\s*;\s*[\w!#$&^.+-]+=(?:[\w!#$&^.+-]+|"[^"]*"))*$/;

/** Completes a route's `cloudEvents:` by the table's columns, and checks it against the rest of the route. */
export function resolveCloudEvents(
  settings: CloudEventsSettings | null,
  context: CloudEventsContext,
  path: OptionPath,
  problems: Problems,
): CloudEventsConfig | null {
  if (settings === null) return null;
  const at = [...path, 'cloudEvents'];
  const { route, address, columns } = context;
  checkNames(settings, at, problems);
  if (route.debezium !== null) problems.add(at, 'is given beside debezium: a message has one of the two forms');
  checkContentType(route.contentType, path, problems);
  for (const name of Object.keys(route.headers).filter((header) => isEventHeader(address, header))) {
    problems.add(
      [...path, 'headers', name],
      'is a header of CloudEvents: give it by cloudEvents.extensions, or contentType',
    );
  }
  if (settings.prefix !== undefined && address === 'topic') {
    problems.add([...at, 'prefix'], 'is for RabbitMQ: with Kafka the attributes begin with ce_');
  }
  return {
    ...settings,
    type: settings.type ?? '${type}',
    time: settings.time === undefined ? (columns?.createdAt === null ? null : '${created_at}') : settings.time,
    prefix: settings.prefix ?? AMQP_PREFIXES[0],
  };
}

/** What CloudEvents permits and advises against, and options that do nothing. */
export function cloudEventsWarnings(routes: readonly RouteConfig[]): readonly string[] {
  return routes.flatMap(({ cloudEvents }, index) => {
    if (cloudEvents === null) return [];
    const at = `routes[${index}].cloudEvents`;
    const named = (['extensions', 'extensionHeaders'] as const).flatMap((option) =>
      Object.keys(cloudEvents[option]).flatMap((name) => {
        const advice = extensionNameAdvice(name);
        return advice === null ? [] : [`${at}.${option}: '${name}' ${advice}, which CloudEvents advises against`];
      }),
    );
    const idle = cloudEvents.mode === 'binary' && cloudEvents.nullPayload === 'tombstone';
    return [
      ...named,
      ...(idle ? [`${at}.nullPayload has no effect: in binary mode a null payload always is a tombstone`] : []),
    ];
  });
}

/** An attribute has one source. */
function checkNames(
  { extensions, extensionHeaders, traceContext }: CloudEventsSettings,
  at: OptionPath,
  problems: Problems,
): void {
  const traced: readonly string[] = traceContext ? TRACING_ATTRIBUTES : [];
  for (const [option, given] of Object.entries({ extensions, extensionHeaders })) {
    for (const name of Object.keys(given).filter((each) => traced.includes(each))) {
      problems.add(
        [...at, option, name],
        'is taken from what the row carries: to give it here, set traceContext: false',
      );
    }
  }
  for (const name of Object.keys(extensionHeaders).filter((each) => Object.hasOwn(extensions, each))) {
    problems.add([...at, 'extensionHeaders', name], 'is given by extensions as well: say it in one place');
  }
}

/** It becomes `datacontenttype`, by which readers tell the two modes apart. */
function checkContentType(contentType: string | null, path: OptionPath, problems: Problems): void {
  if (contentType === null) return;
  if (!MEDIA_TYPE.test(contentType)) {
    problems.add(
      [...path, 'contentType'],
      'expected a media type such as application/json or text/plain; charset=utf-8',
    );
  }
  if (/^application\/cloudevents/i.test(contentType)) {
    problems.add(
      [...path, 'contentType'],
      'is the media type of the payload, not that of the event, which the relay sets itself',
    );
  }
}
