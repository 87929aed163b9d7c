import type { Reading } from './value.ts';

const ROUTER = 'io.debezium.transforms.outbox.EventRouter';

/** What to do about transforms that are often used beside the router. */
const ADVICE: Readonly<Record<string, string>> = {
  Filter:
    'Say it by `match` of routes, as far as it goes by values of columns; else leave such rows out in the application.',
  ContentBasedRouter: 'Say it by routes with `match`, one for each topic.',
  RegexRouter: 'Put both patterns into one: `rewrite` of the route.',
  ByLogicalTableRouter: 'Say it by `topic` or `rewrite` of the route.',
  TimestampRouter: 'The topic goes by columns: have the application write the part that goes by time.',
  InsertHeader: 'Add it to `headers` of the route: a text stands for itself.',
  HeaderFrom: 'Add the column to `headers` of the route.',
  DropHeaders: 'Leave the header out of `headers` of the route.',
  HeaderToValue: 'Name the column under `debezium.envelope` of the route.',
  ExtractField: 'Have the application write the part that is wanted as its payload.',
  ReplaceField: 'Have the application write the payload that is wanted.',
  ValueToKey: 'Say it by `key` of the route, a template over columns.',
  PartitionRouting: 'Say it by `partition` of the route, an integer column.',
  ActivateTracingSpan: 'Say it by `tracing` of the options.',
};

/**
 * Finds the outbox event router among the transforms, and says of all others that they are left out.
 *
 * @returns the prefix of its options; null when there is none
 */
export function findRouter({ settings, findings }: Reading): string | null {
  const names = settings.list('transforms');
  const typeOf = (name: string): string => settings.text(`transforms.${name}.type`) ?? '';
  const routers = names.filter((name) => typeOf(name) === ROUTER);
  const [router, ...others] = routers;
  for (const name of [...names.filter((each) => !routers.includes(each)), ...others]) leaveOut(name, typeOf(name));
  if (router === undefined) {
    findings.error(
      settings.nameOf('transforms'),
      'there is no outbox event router among the transforms: what this connector publishes are changes of tables',
      'Name the configuration of the connector that publishes the outbox; keep Debezium for the other.',
    );
    return null;
  }
  readPredicates(settings.text(`transforms.${router}.predicate`), router);
  return `transforms.${router}.`;

  function leaveOut(name: string, type: string): void {
    for (const [each] of settings.unused(`transforms.${name}.`)) settings.settle(each);
    const advice = Object.entries(ADVICE).find(([known]) => type.includes(`.${known}`))?.[1];
    const what = type === ROUTER ? 'a second event router' : type === '' ? 'a transform without a type' : type;
    findings.error(
      settings.nameOf(`transforms.${name}.type`),
      `${what} has no counterpart that could be written by itself`,
      type === ROUTER
        ? 'A relay publishes one table: run this command with the configuration of each router alone.'
        : (advice ?? 'Do what it does in the application, or at the consumers; then take it out of the file.'),
    );
  }

  function readPredicates(used: string | undefined, transform: string): void {
    if (settings.flag(`transforms.${transform}.negate`, false))
      findings.warning(
        settings.nameOf(`transforms.${transform}.negate`),
        'the router is for tables other than those of its predicate; the relay has one table, all of whose rows are events',
        'Look whether the table is the one that is meant.',
      );
    for (const name of settings.list('predicates')) {
      for (const [each] of settings.unused(`predicates.${name}.`)) settings.settle(each);
      const subject = settings.nameOf(`predicates.${name}.type`);
      if (name === used) findings.ok(subject, 'the relay has one table, all of whose rows are events');
      else findings.ok(subject, 'the transform that uses it is left out');
    }
  }
}
