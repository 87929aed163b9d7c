import { optionValue, type Reading, secretValue } from './value.ts';

/** `postgres:` and what is said of the table's name. */
export interface SourceMapping {
  readonly postgres: Readonly<Record<string, unknown>>;
  /** As SQL writes it; null when it is not known. */
  readonly table: string | null;
}

/** `sslmode` of Debezium; `allow` and `prefer` encrypt only by chance. */
const TLS_MODES: Readonly<Record<string, string>> = {
  require: 'require',
  required: 'require',
  'verify-ca': 'verify-ca',
  verify_ca: 'verify-ca',
  'verify-full': 'verify-full',
  verify_full: 'verify-full',
};
const PLAIN_NAME = /^[a-z_][a-z0-9_$]*$/;
const TABLES = 'source.table.include.list';
const TABLES_BEFORE_2_0 = 'source.table.whitelist';
const CONNECTOR = 'io.debezium.connector.postgresql.PostgresConnector';

/**
 * Reads where the outbox is.
 *
 * @param chosen the table that is meant where the connector captures several; undefined: not said
 */
export function readSource(chosen: string | undefined, reading: Reading): SourceMapping {
  const { settings, findings } = reading;
  const connector = settings.text('source.connector.class') ?? CONNECTOR;
  if (!connector.endsWith('PostgresConnector'))
    findings.error(
      settings.nameOf('source.connector.class'),
      `${connector} captures another kind of database`,
      'The relay is for outbox tables in Postgres: keep Debezium for this one.',
    );
  const password = secretValue('source.database.password', 'DATABASE_PASSWORD', reading);
  const port = optionValue('source.database.port', reading);
  const tls = readTls(reading);
  return {
    postgres: {
      host: required('source.database.hostname', 'DATABASE_HOST', reading),
      ...(port !== undefined && { port: /^\d+$/.test(port) ? Number(port) : port }),
      database: required('source.database.dbname', 'DATABASE_NAME', reading),
      user: required('source.database.user', 'DATABASE_USER', reading),
      ...(password !== undefined && { password }),
      ...(tls !== null && { tls }),
    },
    table: readTable(chosen, reading),
  };
}

function required(name: string, variable: string, reading: Reading): string {
  const value = optionValue(name, reading);
  if (value !== undefined) return value;
  reading.findings.warning(
    name,
    `it is not said; the file has \${${variable}} instead`,
    `Give it to the relay as the environment variable ${variable}, or write it there.`,
  );
  return `\${${variable}}`;
}

function readTls(reading: Reading): Readonly<Record<string, string>> | null {
  const { settings, findings } = reading;
  const mode = settings.text('source.database.sslmode');
  const material = {
    ca: optionValue('source.database.sslrootcert', reading),
    cert: optionValue('source.database.sslcert', reading),
    key: optionValue('source.database.sslkey', reading),
    passphrase: secretValue('source.database.sslpassword', 'DATABASE_KEY_PASSPHRASE', reading),
  };
  const known = mode === undefined ? undefined : TLS_MODES[mode.toLowerCase()];
  if (known === undefined) {
    if (mode !== undefined && !/^disabled?$/i.test(mode))
      findings.warning(
        settings.nameOf('source.database.sslmode'),
        `${mode} encrypts if the server happens to offer it; the file has no TLS`,
        'Add `tls: {}` to the section `postgres`, which verifies everything.',
      );
    return null;
  }
  if (/\.(?:pk8|der)$/i.test(material.key ?? ''))
    findings.warning(
      settings.nameOf('source.database.sslkey'),
      'keys in DER form are for Java: the relay reads PEM',
      'openssl pkcs8 -inform DER -in key.pk8 -out key.pem, and name that file under `postgres.tls.key`.',
    );
  return {
    mode: known,
    ...(material.ca !== undefined && { ca: material.ca }),
    ...(material.cert !== undefined && { cert: material.cert }),
    ...(material.key !== undefined && { key: material.key }),
    ...(material.passphrase !== undefined && { passphrase: material.passphrase }),
  };
}

/** One table: `public.outbox`, or a pattern that stands for one by escaped dots. */
function readTable(chosen: string | undefined, { settings, findings }: Reading): string | null {
  const name = settings.text(TABLES_BEFORE_2_0) === undefined ? TABLES : TABLES_BEFORE_2_0;
  const entries = settings.list(name);
  if (chosen !== undefined) {
    if (entries.length > 0) findings.ok(settings.nameOf(name), `the relay publishes ${chosen}, which --table names`);
    return chosen;
  }
  const [only] = entries;
  if (only === undefined || entries.length > 1) {
    findings.error(
      settings.nameOf(name),
      only === undefined
        ? 'it does not say which table is the outbox'
        : `it names ${entries.length} tables: a relay publishes one`,
      'Name the outbox with --table schema.table; keep Debezium for other tables, and run one relay for each outbox.',
    );
    return null;
  }
  const plain = only.replaceAll('\\.', '.').replaceAll('\\', '');
  if (/[*+?()[\]|^]/.test(plain)) {
    findings.error(settings.nameOf(name), `'${only}' is a pattern`, 'Name the outbox with --table schema.table.');
    return null;
  }
  return plain
    .split('.')
    .map((part) => (PLAIN_NAME.test(part) ? part : `"${part.replaceAll('"', '')}"`))
    .join('.');
}
