import type { RouterMapping } from './router.ts';
import type { Reading } from './value.ts';

/** Characters that Debezium leaves alone in the names of topics, by which schemas are named. */
const NAME = /^[\w.-]+$/;
/** Settings by which the name is another, and their defaults. */
const OTHER_NAMES: readonly (readonly [name: string, byDefault: string])[] = [
  ['source.topic.naming.strategy', 'io.debezium.schema.SchemaTopicNamingStrategy'],
  ['source.topic.delimiter', '.'],
  ['source.schema.name.adjustment.mode', 'none'],
];

/**
 * Reads how the schema of an envelope is called: `PREFIX.SCHEMA.TABLE.ROUTED.Value`.
 *
 * @param table as SQL writes it; null where it is not known, which has been told
 * @returns a template
 */
export function readEnvelopeSchema(
  table: string | null,
  { routedBy, schemaVersion }: Pick<RouterMapping, 'routedBy' | 'schemaVersion'>,
  reading: Reading,
): string {
  const { settings, findings } = reading;
  const refuse = (name: string, message: string): void =>
    findings.error(
      settings.nameOf(name),
      message,
      'Place the columns as headers; or print the file with --force and say there, as `debezium.envelopeSchema`, which schema.name the values of Debezium have.',
    );
  const prefix = settings.text('source.topic.prefix') ?? '';
  if (!NAME.test(prefix))
    refuse('source.topic.prefix', 'the name of the schema of an envelope begins with it, and it is not said in clear');
  const names = (table ?? 'public.outbox').replaceAll('"', '').split('.');
  if (names.length !== 2 || !names.every((name) => NAME.test(name)))
    refuse(
      'source.table.include.list',
      'the schema of an envelope is called by the table, and its name is not a plain schema.table',
    );
  for (const [name, byDefault] of OTHER_NAMES)
    if ((settings.text(name) ?? byDefault) !== byDefault)
      refuse(name, 'it changes the name of the schema of an envelope, which the relay then does not know');
  if (schemaVersion !== null)
    refuse(
      schemaVersion,
      'the schema of an envelope has a version that goes by the row, which the relay does not write',
    );
  return `${prefix}.${names.join('.')}.\${${routedBy}}.Value`;
}
