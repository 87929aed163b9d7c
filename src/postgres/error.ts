import type { ErrorCode } from '../core/error-catalogue.ts';
import { RelayError } from '../core/errors.ts';
import { errorCode, firstError, isConnectionFailure, sqlState } from '../core/postgres-failure.ts';
import { tlsFault } from '../tls/fault.ts';

const BY_STATE: Readonly<Record<string, ErrorCode>> = {
  '25006': 'postgres_not_primary', // read_only_sql_transaction
  '3D000': 'postgres_schema', // invalid_catalog_name: no such database
  '3F000': 'postgres_schema', // invalid_schema_name
  '42501': 'postgres_permission',
  '42703': 'postgres_schema', // undefined_column
  '42704': 'postgres_schema', // undefined_object
  '42804': 'postgres_schema', // datatype_mismatch
  '42883': 'postgres_schema', // undefined_function: an operator that a mapped column's type lacks
  '42809': 'postgres_schema', // wrong_object_type
  '42P01': 'postgres_schema', // undefined_table
  '53100': 'postgres_disk_full',
  '57P01': 'postgres_unreachable', // admin_shutdown
  '57P02': 'postgres_unreachable', // crash_shutdown
  '57P03': 'postgres_unreachable', // cannot_connect_now
  '57P05': 'postgres_unreachable', // idle_session_timeout
};

/** Where the state tells more than its code. */
const REMEDIES: Readonly<Record<string, string>> = {
  // invalid_password
  '28P01':
    'Postgres refuses the password: correct postgres.password. A file that it comes from (${file:/...}) is read again with the next attempt.',
  // invalid_authorization_specification
  '28000':
    'Give the role a line in pg_hba.conf for this host, with or without TLS as the relay connects; where that line asks for a certificate, set postgres.tls.cert and postgres.tls.key. The role must exist and have LOGIN.',
};

const BY_STATE_CLASS: Readonly<Record<string, ErrorCode>> = {
  '08': 'postgres_unreachable',
  '28': 'postgres_authentication',
};

/** What else `pg` says without any code, at the version that package-lock.json pins. */
const BY_TEXT: readonly (readonly [RegExp, ErrorCode])[] = [
  [/^The server does not support SSL|establishing an SSL connection$/, 'postgres_tls'],
  [/^SASL: /, 'postgres_authentication'],
];

/**
 * Classifies anything thrown by `pg`: by SQLSTATE, else errno, else (where `pg` gives no code) its text. What is not
 * known is `postgres_query_failed`, hence transient: trying again is always safe here.
 *
 * @param doing what failed, in the form 'deleting published rows'; begins the message
 */
export function postgresError(error: unknown, doing: string): RelayError {
  if (error instanceof RelayError) return error;
  const state = sqlState(error);
  const text = error instanceof Error ? firstText(error) : String(error);
  if (state !== null) {
    const remedy = REMEDIES[state];
    return new RelayError(classifyState(state), `${doing}: ${text} (SQLSTATE ${state})`, {
      cause: error,
      ...(remedy !== undefined && { remedy }),
    });
  }
  return (
    tlsError(error, `${doing}: ${text}`) ??
    new RelayError(classifyClientError(error), `${doing}: ${text}`, { cause: error })
  );
}

function tlsError(error: unknown, message: string): RelayError | null {
  const fault = tlsFault(error instanceof Error ? errorCode(firstError(error)) : undefined, 'postgres.tls');
  if (fault === null) return null;
  const code = fault.kind === 'client-certificate' ? 'postgres_client_certificate' : 'postgres_tls';
  return new RelayError(code, message, { cause: error, remedy: fault.remedy });
}

function classifyState(state: string): ErrorCode {
  return BY_STATE[state] ?? BY_STATE_CLASS[state.slice(0, 2)] ?? 'postgres_query_failed';
}

function classifyClientError(error: unknown): ErrorCode {
  if (isConnectionFailure(error)) return 'postgres_unreachable';
  const text = error instanceof Error ? firstError(error).message : '';
  return BY_TEXT.find(([pattern]) => pattern.test(text))?.[1] ?? 'postgres_query_failed';
}

function firstText(error: Error): string {
  return error.message || firstError(error).message || error.name;
}
