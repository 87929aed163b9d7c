import type { TableColumn } from '../../core/table.ts';

/** A type's defaults: what Debezium takes for that of a function, and which constants are read here. */
interface DefaultKind {
  /** As Postgres prints it. */
  readonly placeholder: string;
  /** Of the constants that Postgres and Java print alike. */
  readonly constant: RegExp;
}

/** The beginning of a call, of which Debezium looks at no more: `now()`, `(now() AT TIME ZONE 'utc'::text)`. */
const CALL = /^\(?[\w.]+\(.*\)/;
const CURRENT = /^(?:current_(?:timestamp|date)|localtimestamp)$/i;
const NULL = 'NULL::';
/** Quotes inside a text are not among them: versions of Debezium read these differently. */
const QUOTED = /^'([^'\p{Cc}\p{Zl}\p{Zp}]*)'::[\w ]+(?:\(\d+\))?$/u;
const BARE = /^[\w.-]+$/;

const TEXT: DefaultKind = { placeholder: '', constant: /^/ };
const DOCUMENT: DefaultKind = { placeholder: '{}', constant: /^/ };
const WHOLE: DefaultKind = { placeholder: '0', constant: /^(?:0|-?[1-9]\d{0,17})$/ };
const FLOAT: DefaultKind = { placeholder: '0', constant: /^-?(?=[\d.]{1,7}$)(?:0|[1-9]\d*)(?:\.\d*[1-9])?$/ };
const NEVER = /(?!)/;

const KINDS: Readonly<Record<string, DefaultKind>> = {
  smallint: WHOLE,
  integer: WHOLE,
  bigint: WHOLE,
  boolean: { placeholder: 'f', constant: /^(?:true|false)$/ },
  real: FLOAT,
  'double precision': FLOAT,
  text: TEXT,
  character: TEXT,
  'character varying': TEXT,
  json: DOCUMENT,
  jsonb: DOCUMENT,
  uuid: {
    placeholder: '00000000-0000-0000-0000-000000000000',
    constant: /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/,
  },
  date: { placeholder: '1970-01-01', constant: NEVER },
  'timestamp with time zone': { placeholder: '1970-01-01 00:00:00+00', constant: NEVER },
  'timestamp without time zone': { placeholder: '1970-01-01 00:00:00', constant: NEVER },
};
/** Debezium looks for no default of theirs. */
const WITHOUT: readonly string[] = ['bytea', 'oid'];

/**
 * Reads the DEFAULT of a column as Debezium's Postgres connector does, by its text: a call of a function has a placeholder, not
 * a value. Only constants and calls are read; see `PostgresDefaultValueConverter` of Debezium 3.0.
 *
 * @returns the value as Postgres prints it; null: there is none; undefined: it is not known what Debezium makes of it
 */
export function readDefault({ type, defaultExpression: expression }: TableColumn): string | null | undefined {
  if (expression === undefined || WITHOUT.includes(type)) return null;
  const kind = KINDS[type.replace(/\(\d+\)/, '')];
  if (kind === undefined) return undefined;
  if (CALL.test(expression) || CURRENT.test(expression)) return kind.placeholder;
  if (expression.startsWith(NULL)) return null;
  const quoted = QUOTED.exec(expression)?.[1];
  const constant = quoted ?? (kind.placeholder !== '' && BARE.test(expression) ? expression : undefined);
  if (constant === undefined || !kind.constant.test(constant)) return undefined;
  // as Postgres prints a boolean
  return type === 'boolean' ? constant.charAt(0) : constant;
}
