/** Options of the event router, with tables and rows that show what each comes to. */

/** How a server writes key, value and headers: one server has one. */
export type CaseFormat = 'plain' | 'json' | 'untold';

/** One configuration of the event router, and what it is tried on: rows that all go to one topic, `order` behind its prefix. */
export interface DebeziumCase {
  /** Of its table, and in its topics. */
  readonly name: string;
  readonly format: CaseFormat;
  /** Columns beside `position`, as SQL. */
  readonly columns: string;
  /** Rows as SQL: what follows `INSERT INTO table`. Each has an id of its own. */
  readonly rows: string;
  /** Options of the transform but `route.topic.replacement`. */
  readonly router: Readonly<Record<string, string>>;
  /** The group of `route.topic.regex` that `route.topic.replacement` is made of. @default 'routedByValue' */
  readonly group?: string;
}

const USUAL = `id uuid PRIMARY KEY DEFAULT gen_random_uuid(), aggregatetype varchar(255) NOT NULL,
  aggregateid varchar(255) NOT NULL, type varchar(255) NOT NULL, payload`;

/** Of the columns of {@link USUAL}; the texts must need no quoting. */
const events = (type: string, payloads: readonly (string | null)[]): string =>
  `(aggregatetype, aggregateid, type, payload) VALUES ${payloads
    .map(
      (payload, at) =>
        `('order', 'key-${at % 5}', 'Changed', ${payload === null ? 'NULL' : `$p$${payload}$p$`}::${type})`,
    )
    .join(', ')}`;

const DOCUMENTS = [
  '{"total": 12, "price": 12.50, "tiny": 0.0001, "huge": 12345678.9, "long": 9007199254740993, "exp": 1e2}',
  '{"b": 1, "a": {"z": true, "y": false}, "10": "x", "9": "y"}',
  '{"text": "é ☃ 😀 \\"quoted\\" \\\\ / \\u001f\\u2028 end", "tab": "a\\tb"}',
  '{"none": null, "empty": [], "object": {}, "nested": {"none": null}}',
  '{"list": [1, 2, 3], "nulls": [1, null], "texts": ["a", "b"], "lists": [[1], [2, 3]]}',
  '{"items": [{"a": 1, "b": null}, {"a": 2}]}',
  '{"mixed": [1, "x"]}',
  '{"numbers": [1, 2.5]}',
  '{"only": [null]}',
  '{}',
];

/** Of which the schemas are not obvious: names in and behind arrays, members that not all objects of an array have. */
const NESTED = [
  '{"deep": {"er": {"a": 1}}, "lists": [[{"x": {"y": 1}}]], "many": [{"in": {"b": true}}, {"in": {"b": false}}]}',
  '{"some": [{"a": 1, "b": "x"}, {"a": 2}], "": {"c": 1}, "dots.in": {"d": 1}}',
  '{"é": {"é": "é"}, "blank": {" ": {"e": []}}}',
];

const TYPED = `${USUAL} jsonb, tenant text, n integer, big bigint, flag boolean, ratio double precision, single real, day date,
  at timestamptz, precise timestamptz(3), local timestamp, short timestamp(3), token uuid, raw bytea, extra jsonb`;
const TYPED_ROWS = `(aggregatetype, aggregateid, type, payload, tenant, n, big, flag, ratio, single, day, at, precise, local, short, token, raw, extra)
  VALUES ('order', 'k"1', 'Créé', '{"a": 1}', 'tenant ''1'' "q" é', -7, 9007199254740993, true, 1e10, 0.1, '2026-03-01',
    '2026-03-01 08:00:00.123456+02', '2026-03-01 08:00:00.12+02', '2026-03-01 08:00:00.5', '2026-03-01 08:00:00.123', '5f1c1a4e-8f5d-4b52-9d6e-0e5f7a3f2b11',
    '\\x00ff20', '{"x": [1]}'),
   ('order', 'k2', 'Plain', '{"b": "2"}', '', 0, -1, false, 0.00099, 12345678, '1969-12-31',
    '2026-03-01 08:00:00+00', '2026-03-01 08:00:00+00', '1969-12-31 23:59:59.5', '1969-12-31 23:59:59.5', '5f1c1a4e-8f5d-4b52-9d6e-0e5f7a3f2b12', '\\x', '[]')`;
const TYPED_COLUMNS = [
  'tenant',
  'n',
  'big',
  'flag',
  'ratio',
  'single',
  'day',
  'at',
  'precise',
  'local',
  'short',
  'token',
  'raw',
  'extra',
];
const placed = (place: string, columns: readonly string[]): string =>
  columns.map((column) => `${column}:${place}:x_${column}`).join(',');

/** Columns with defaults as Debezium reads them: constants, calls of functions, and what has none. */
const DEFAULTS: Readonly<Record<string, string>> = {
  created: 'timestamptz NOT NULL DEFAULT now()',
  stamp: `timestamp DEFAULT (now() AT TIME ZONE 'utc')`,
  short: 'timestamp(3) DEFAULT LOCALTIMESTAMP',
  at: 'timestamptz(0) DEFAULT CURRENT_TIMESTAMP',
  day: 'date DEFAULT CURRENT_DATE',
  version: 'integer NOT NULL DEFAULT 1',
  tiny: 'smallint DEFAULT -1',
  big: `bigint DEFAULT 4294967296`,
  seq: 'bigserial',
  serial: 'bigint GENERATED ALWAYS AS IDENTITY',
  tenant: `text DEFAULT 'shop'`,
  blank: `varchar(10) DEFAULT ''`,
  letters: `char(3) DEFAULT 'abc'`,
  upper: `text DEFAULT upper('x') || 'y'`,
  none: 'varchar(20) DEFAULT NULL',
  flag: 'boolean DEFAULT true',
  unset: 'boolean DEFAULT false',
  ratio: 'double precision DEFAULT 1.5',
  single: 'real DEFAULT -0.25',
  token: 'uuid DEFAULT gen_random_uuid()',
  fixed: `uuid DEFAULT '5f1c1a4e-8f5d-4b52-9d6e-0e5f7a3f2b11'`,
  extra: `jsonb DEFAULT '{"a": [1]}'`,
  made: `jsonb DEFAULT jsonb_build_object('a', 1)`,
  raw: `bytea DEFAULT '\\x00'`,
};
const DEFAULT_NAMES = Object.keys(DEFAULTS);
const NULLABLE = DEFAULT_NAMES.filter((name) => !/NOT NULL|serial|IDENTITY/.test(DEFAULTS[name] ?? ''));

const defaults = (format: CaseFormat): DebeziumCase => ({
  name: `${format}_defaults`,
  format,
  columns: `id uuid PRIMARY KEY DEFAULT gen_random_uuid(), aggregatetype varchar(255) NOT NULL DEFAULT 'order',
    aggregateid varchar(255) NOT NULL DEFAULT 'key', payload jsonb DEFAULT '{"of": "default"}',
    ${DEFAULT_NAMES.map((name) => `${name} ${DEFAULTS[name]}`).join(', ')}`,
  rows: `(payload, ${NULLABLE.join(', ')}) VALUES ('{"b": 2}', ${NULLABLE.map(() => 'DEFAULT').join(', ')}),
    (NULL, ${NULLABLE.map(() => 'NULL').join(', ')})`,
  // Debezium stops at a header that is null where headers are plain
  router: {
    'table.fields.additional.placement': placed(
      'header',
      DEFAULT_NAMES.filter((name) => format !== 'plain' || !['none', 'raw'].includes(name)),
    ),
  },
});

/** What a server writes that nobody has told anything: JsonConverter, with schemas. */
const UNTOLD_CASES: readonly DebeziumCase[] = [
  {
    name: 'untold_texts',
    format: 'untold',
    columns: `${USUAL} text NOT NULL`,
    rows: events('text', ['plain é', '', ' \n', '{"a":  1}']),
    router: { 'table.fields.additional.placement': 'type:header:eventType' },
  },
  {
    name: 'untold_bytes',
    format: 'untold',
    columns: `${USUAL} bytea`,
    rows: events('bytea', ['\\x00ff20', '\\x', null]),
    router: {},
  },
  {
    name: 'untold_keys',
    format: 'untold',
    columns: `event_id bigint PRIMARY KEY, aggregatetype text NOT NULL, account uuid, payload json`,
    rows: `(event_id, aggregatetype, account, payload) VALUES
      (9007199254740993, 'order', '5f1c1a4e-8f5d-4b52-9d6e-0e5f7a3f2b11', '{"a" :  1}'), (2, 'order', NULL, NULL)`,
    router: {
      'table.field.event.id': 'event_id',
      'table.field.event.key': 'account',
      'route.tombstone.on.empty.payload': 'true',
    },
  },
  {
    name: 'untold_headers',
    format: 'untold',
    columns: TYPED,
    rows: `${TYPED_ROWS}, ('order', 'k3', 'Empty', NULL, ${TYPED_COLUMNS.map(() => 'NULL').join(', ')})`,
    router: { 'table.fields.additional.placement': placed('header', TYPED_COLUMNS) },
  },
  {
    name: 'untold_expanded',
    format: 'untold',
    columns: `${USUAL} jsonb`,
    rows: events('jsonb', [...DOCUMENTS, ...NESTED, '"text"', '12', '[]', null]),
    router: { 'table.expand.json.payload': 'true' },
  },
  {
    name: 'untold_envelopes',
    format: 'untold',
    columns: TYPED,
    rows: TYPED_ROWS,
    router: { 'table.fields.additional.placement': `type:envelope:eventType,${placed('envelope', TYPED_COLUMNS)}` },
  },
  {
    name: 'untold_kept_nulls',
    format: 'untold',
    columns: `${USUAL} text, body text`,
    rows: `(aggregatetype, aggregateid, type, body) SELECT aggregatetype, aggregateid, type, payload
      FROM (VALUES ${[...DOCUMENTS, ...NESTED, ' ', 'text'].map((body, at) => `('order', 'k${at}', 'T', $p$${body}$p$)`).join(', ')}) AS rows (aggregatetype, aggregateid, type, payload)`,
    router: {
      'table.field.event.payload': 'body',
      'table.expand.json.payload': 'true',
      'table.json.payload.null.behavior': 'optional_bytes',
      'table.fields.additional.placement': 'type:envelope',
    },
  },
  defaults('untold'),
];

export const CASES: readonly DebeziumCase[] = [
  ...UNTOLD_CASES,
  defaults('plain'),
  defaults('json'),
  {
    name: 'defaults',
    format: 'plain',
    columns: `${USUAL} jsonb`,
    rows: events('jsonb', [...DOCUMENTS, null]),
    router: {},
  },
  {
    name: 'texts',
    format: 'plain',
    columns: `${USUAL} text`,
    rows: events('text', ['plain é', '', ' \n', '{"a":  1}', null]),
    router: {},
  },
  {
    name: 'tombstones',
    format: 'plain',
    columns: `${USUAL} text`,
    rows: events('text', ['text', '', ' \n\t', null]),
    router: { 'route.tombstone.on.empty.payload': 'true' },
  },
  {
    name: 'bytes',
    format: 'plain',
    columns: `${USUAL} bytea`,
    rows: events('bytea', ['\\x00ff20', '\\x', '\\x20', null]),
    router: { 'route.tombstone.on.empty.payload': 'true' },
  },
  {
    name: 'headers',
    format: 'plain',
    columns: TYPED,
    rows: TYPED_ROWS,
    router: { 'table.fields.additional.placement': `type:header,${placed('header', TYPED_COLUMNS)}` },
  },
  {
    name: 'columns',
    format: 'plain',
    columns: `event_id bigint PRIMARY KEY, entity text NOT NULL, kind text NOT NULL, body json, part integer`,
    rows: `(event_id, entity, kind, body, part) VALUES (1, 'e1', 'shop.order', '{"a" :  1}', 2), (2, 'e2', 'shop.order', '[1]', 0)`,
    router: {
      'table.field.event.id': 'event_id',
      'table.field.event.key': 'entity',
      'table.field.event.payload': 'body',
      'table.fields.additional.placement': 'part:partition,kind:header',
      'route.by.field': 'kind',
      'route.topic.regex': 'shop[.](?<what>.*)',
    },
    group: 'what',
  },
  {
    name: 'strings',
    format: 'json',
    columns: `${USUAL} jsonb`,
    rows: events('jsonb', [...DOCUMENTS, '[1, 2]', 'null', null]),
    router: {},
  },
  {
    name: 'expanded',
    format: 'json',
    columns: `${USUAL} jsonb`,
    rows: events('jsonb', [...DOCUMENTS, ...NESTED, '"text"', '12', '[]', null]),
    router: { 'table.expand.json.payload': 'true' },
  },
  {
    name: 'kept_nulls',
    format: 'json',
    columns: `${USUAL} text`,
    rows: events('text', [...DOCUMENTS.slice(0, 6), '{"a": 1, "a": 2}', '{"open": ', 'text', '', ' ', '{"a": 1} more']),
    router: {
      'table.expand.json.payload': 'true',
      'table.json.payload.null.behavior': 'optional_bytes',
      'route.tombstone.on.empty.payload': 'true',
    },
  },
  {
    name: 'envelopes',
    format: 'json',
    columns: TYPED,
    rows: TYPED_ROWS,
    router: {
      'table.expand.json.payload': 'true',
      'table.fields.additional.placement': `type:envelope:eventType,${placed('envelope', TYPED_COLUMNS)},${placed('header', TYPED_COLUMNS)}`,
    },
  },
  {
    name: 'empty_envelopes',
    format: 'json',
    columns: `${USUAL} bytea, tenant text, n integer, flag boolean, at timestamptz`,
    rows: events('bytea', ['\\x00ff20', '\\x', null]),
    router: {
      'table.fields.additional.placement': 'tenant:header,n:header,flag:envelope,at:envelope,tenant:envelope:t',
    },
  },
];

/** Of a server that publishes to RabbitMQ. */
export const RABBITMQ_CASE: DebeziumCase = {
  name: 'rabbitmq',
  format: 'untold',
  columns: `${USUAL} jsonb, tenant text`,
  rows: events('jsonb', ['{"a": 1}', '{"é": "☃"}', null]),
  router: {
    'table.expand.json.payload': 'true',
    'table.fields.additional.placement': 'type:header,tenant:header',
    'route.tombstone.on.empty.payload': 'true',
  },
};
