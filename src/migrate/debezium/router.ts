import type { Reading } from './value.ts';
import { type TopicRule, topicRule } from './java-pattern.ts';

/** What the outbox event router is told, in the terms of the relay. */
export interface RouterMapping extends TopicRule {
  /** Of `table.columns`. */
  readonly columns: Readonly<Record<string, string | null>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly envelope: Readonly<Record<string, string>>;
  /** The column of `route.by.field`, as templates name it. */
  readonly routedBy: string;
  /** The setting that names a column with the version of an envelope's schema; null: there is none. */
  readonly schemaVersion: string | null;
  readonly partition: string | null;
  readonly expandJson: boolean;
  readonly expandedNulls: 'omit' | 'keep';
  readonly tombstoneOnEmpty: boolean;
  readonly tracingColumn: string | null;
}

const EVERYTHING = '(?<routedByValue>.*)';
const TOPIC = 'outbox.event.${routedByValue}';
/** Names that templates have for columns of a role, which a column of another role cannot be told by. */
const TAKEN: readonly string[] = ['id', 'position', 'aggregateid', 'payload', 'headers'];

interface Placement {
  readonly column: string;
  readonly place: string;
  readonly alias: string;
}

/** Reads the options of the transform. @param prefix of its options: `transforms.outbox.` */
export function readRouter(prefix: string, reading: Reading): RouterMapping {
  const { settings, findings } = reading;
  const text = (option: string, fallback: string): string => settings.text(`${prefix}${option}`) ?? fallback;
  const columns = new ColumnNames(prefix, reading, {
    id: text('table.field.event.id', 'id'),
    aggregateid: text('table.field.event.key', 'aggregateid'),
    payload: text('table.field.event.payload', 'payload'),
    createdAt: settings.text(`${prefix}table.field.event.timestamp`) ?? null,
  });
  const placements = readPlacements(`${prefix}table.fields.additional.placement`, reading);
  const placed = (place: string, nameOf: (column: string) => string): Readonly<Record<string, string>> =>
    Object.fromEntries(
      placements.filter((each) => each.place === place).map(({ column, alias }) => [alias, nameOf(column)]),
    );
  const template = (column: string): string => `\${${columns.nameOf(column)}}`;
  const [partition] = placements.filter(({ place }) => place === 'partition');
  const routedBy = columns.nameOf(text('route.by.field', 'aggregatetype'));
  const mapping = {
    ...readTopic(prefix, routedBy, reading),
    routedBy,
    schemaVersion: readSchemaVersion(`${prefix}table.field.event.schema.version`, reading),
    headers: placed('header', template),
    envelope: placed('envelope', (column) => columns.nameOf(column)),
    partition: partition === undefined ? null : template(partition.column),
    expandJson: settings.flag(`${prefix}table.expand.json.payload`, false),
    expandedNulls:
      text('table.json.payload.null.behavior', 'ignore') === 'ignore' ? ('omit' as const) : ('keep' as const),
    tombstoneOnEmpty: settings.flag(`${prefix}route.tombstone.on.empty.payload`, false),
    tracingColumn: readTracing(prefix, reading),
  };
  if (columns.timestamp !== null)
    findings.warning(
      settings.nameOf(`${prefix}table.field.event.timestamp`),
      `the record's own timestamp is when it is sent; ${columns.timestamp} is what lag is measured by`,
      `Where consumers need it, add a header to the route: ${columns.timestamp}: '\${created_at}'.`,
    );
  explainRest(prefix, reading);
  return { ...mapping, columns: columns.mapping() };
}

function readTopic(prefix: string, by: string, { runtime, settings, findings }: Reading): TopicRule {
  const regex = settings.text(`${prefix}route.topic.regex`) ?? EVERYTHING;
  const written = settings.text(`${prefix}route.topic.replacement`) ?? TOPIC;
  // escapes of MicroProfile, which has expressions of its own
  const replacement = runtime === 'server' ? written.replace(/[\\$]\$\{/g, '${') : written;
  const rule = topicRule(by, regex, replacement);
  if (rule !== null) return rule;
  findings.error(
    settings.nameOf(`${prefix}route.topic.regex`),
    'this pattern of Java has something that JavaScript lacks or reads otherwise',
    'Write it anew as `rewrite.pattern` of the route, or as routes with `match`, one for each topic.',
  );
  return { topic: `\${${by}}`, rewrite: null };
}

function readPlacements(name: string, { settings, findings }: Reading): readonly Placement[] {
  return settings.list(name).flatMap((entry) => {
    const [column = '', place = '', alias = column] = entry.split(':').map((part) => part.trim());
    if (['header', 'envelope', 'partition'].includes(place.toLowerCase()))
      return [{ column, place: place.toLowerCase(), alias }];
    findings.error(
      settings.nameOf(name),
      `'${entry}' is no placement: expected column:header, column:envelope or column:partition`,
      'Correct the entry; Debezium refuses it, too.',
    );
    return [];
  });
}

/** Debezium traces where OpenTelemetry is on its class path; the column has to be named to the relay. */
function readTracing(prefix: string, { settings, findings }: Reading): string | null {
  const column = settings.text(`${prefix}tracing.span.context.field`) ?? null;
  for (const option of ['tracing.operation.name', 'tracing.with.context.field.only']) {
    if (settings.text(`${prefix}${option}`) === undefined) continue;
    findings.ok(
      settings.nameOf(`${prefix}${option}`),
      "spans are named and sampled by `tracing` of the relay's options",
    );
  }
  if (column !== null)
    findings.warning(
      settings.nameOf(`${prefix}tracing.span.context.field`),
      'tracing is on in the file: spans are exported by OTLP, and messages carry `traceparent`',
      'Set OTEL_EXPORTER_OTLP_ENDPOINT for the relay, or take the section `tracing` out.',
    );
  return column;
}

function readSchemaVersion(name: string, { settings, findings }: Reading): string | null {
  if (settings.text(name) === undefined) return null;
  findings.ok(settings.nameOf(name), "it is the version of an envelope's schema, and nothing of it is sent without");
  return settings.nameOf(name);
}

function explainRest(prefix: string, { settings, findings }: Reading): void {
  const explain = (option: string, message: string): void => {
    if (settings.text(`${prefix}${option}`) !== undefined) findings.ok(settings.nameOf(`${prefix}${option}`), message);
  };
  explain('table.field.event.type', 'Debezium does not use it either');
  explain('table.op.invalid.behavior', 'updates of rows are not looked at: the relay publishes inserts');
  explain('debezium.op.invalid.behavior', 'updates of rows are not looked at: the relay publishes inserts');
  explain('table.fields.additional.error.on.missing', '`check` and `run` refuse a column that is not there');
  settings.text(`${prefix}predicate`);
  settings.text(`${prefix}type`);
}

/** Which names templates have for columns, and which roles the table then must have. */
class ColumnNames {
  readonly #prefix: string;
  readonly #reading: Reading;
  readonly #roles: Readonly<Record<'id' | 'aggregateid' | 'payload', string>>;
  readonly timestamp: string | null;
  readonly #referenced = new Set<string>();

  constructor(
    prefix: string,
    reading: Reading,
    {
      createdAt,
      ...roles
    }: Readonly<Record<'id' | 'aggregateid' | 'payload', string>> & { readonly createdAt: string | null },
  ) {
    this.#prefix = prefix;
    this.#reading = reading;
    this.#roles = roles;
    this.timestamp = createdAt;
  }

  nameOf(column: string): string {
    const role = Object.entries(this.#roles).find(([, name]) => name === column)?.[0];
    if (role !== undefined) return role;
    if (column === this.timestamp) return 'created_at';
    if (TAKEN.includes(column) || (column === 'created_at' && this.timestamp !== null)) {
      const { settings, findings } = this.#reading;
      findings.error(
        settings.nameOf(`${this.#prefix}table.fields.additional.placement`),
        `templates of the relay take the name ${column} for another column`,
        `Rename the column, or add one with another name that has the same values.`,
      );
    }
    this.#referenced.add(column);
    return column;
  }

  mapping(): Readonly<Record<string, string | null>> {
    const own = (name: string): string | null => (this.#referenced.has(name) ? name : null);
    return {
      ...this.#roles,
      aggregatetype: own('aggregatetype'),
      type: own('type'),
      headers: null,
      createdAt: this.timestamp ?? own('created_at'),
    };
  }
}
