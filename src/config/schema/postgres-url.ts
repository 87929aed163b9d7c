import { oneOf } from './scalars.ts';
import type { TlsOptions } from '../../core/tls.ts';
import { TLS_MODES, tlsOptions, type TlsMode } from './tls.ts';
import { decodePart, definedOnly, parseHosts, splitLogin, type HostPort } from './url-parts.ts';
import { didYouMean } from '../../core/suggest.ts';

/** What a connection URL says; what it leaves out is undefined. */
export interface PostgresUrl {
  readonly hosts: readonly HostPort[];
  readonly user?: string;
  readonly password?: string;
  readonly database?: string;
  /** Null: plain text was asked for; undefined: nothing was said. */
  readonly tls?: TlsOptions | null;
  readonly connectTimeoutMs?: number;
  readonly applicationName?: string;
}

const FORM = 'postgres://user:password@host:5432/database?sslmode=verify-full';
const URL_TEXT =
  /^postgres(?:ql)?:\/\/(?:(?<login>[^@/?#]*)@)?(?<hosts>[^@/?#]*)(?:\/(?<database>[^/?#]*))?(?:\?(?<query>[^#]*))?$/;
const PARAMETERS = [
  'sslmode',
  'sslrootcert',
  'sslcert',
  'sslkey',
  'sslpassword',
  'connect_timeout',
  'application_name',
  'target_session_attrs',
  'host',
  'port',
  'user',
  'password',
  'dbname',
];

/**
 * Reads a connection URL as libpq does, several hosts included.
 *
 * @throws RangeError in words that never repeat any part of the URL's login
 */
export function parsePostgresUrl(text: string): PostgresUrl {
  const groups = URL_TEXT.exec(text)?.groups;
  if (groups === undefined) {
    throw new RangeError(
      `expected the form ${FORM}; in a password, characters such as @ : / ? # % are percent-encoded (or use postgres.password)`,
    );
  }
  const query = parseParameters(groups.query ?? '');
  const [user, password] = splitLogin(groups.login);
  const authority = groups.hosts ?? '';
  const database = decodePart(groups.database ?? '') || query.get('dbname');
  return {
    hosts: authority === '' ? hostsFromParameters(query) : parseHosts(authority, 5432),
    ...definedOnly({
      user: user ?? query.get('user'),
      password: password ?? query.get('password'),
      database,
      tls: tlsFromParameters(query),
      connectTimeoutMs: connectTimeout(query.get('connect_timeout')),
      applicationName: query.get('application_name'),
    }),
  };
}

function parseParameters(query: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  for (const pair of query.split('&').filter((part) => part !== '')) {
    const [name = '', ...value] = pair.split('=');
    const key = decodePart(name);
    if (!PARAMETERS.includes(key)) throw new RangeError(unknownParameter(key));
    parameters.set(key, decodePart(value.join('=')));
  }
  const target = parameters.get('target_session_attrs') ?? 'primary';
  if (target !== 'primary' && target !== 'read-write') {
    throw new RangeError('the relay needs the primary: leave target_session_attrs out of the URL, or write read-write');
  }
  return parameters;
}

function unknownParameter(key: string): string {
  const near = didYouMean(key, PARAMETERS);
  const hint = near === null ? `supported are ${PARAMETERS.join(', ')}` : `did you mean '${near}'?`;
  return `the URL parameter '${key}' is not supported: ${hint}`;
}

function hostsFromParameters(query: ReadonlyMap<string, string>): readonly HostPort[] {
  const host = query.get('host');
  if (host === undefined || host === '') throw new RangeError(`the URL names no host: expected the form ${FORM}`);
  return parseHosts(host, Number(query.get('port') ?? 5432));
}

function connectTimeout(seconds: string | undefined): number | undefined {
  if (seconds === undefined) return undefined;
  if (!/^[1-9][0-9]{0,2}$/.test(seconds))
    throw new RangeError('connect_timeout is a whole number of seconds from 1 to 999');
  return Number(seconds) * 1000;
}

/** libpq's rule is kept that `require` with a root certificate verifies it. */
function tlsFromParameters(query: ReadonlyMap<string, string>): TlsOptions | null | undefined {
  const ca = query.get('sslrootcert');
  const said = query.get('sslmode') ?? (ca === undefined ? undefined : 'verify-full');
  if (said === undefined) return undefined;
  const mode = said === 'require' && ca !== undefined && ca !== 'system' ? 'verify-ca' : said;
  if (!isTlsMode(mode)) {
    throw new RangeError(`sslmode is ${oneOf(TLS_MODES)} (the relay never falls back to plain text by itself)`);
  }
  return tlsOptions(mode, {
    ca: ca === 'system' ? undefined : ca,
    cert: query.get('sslcert'),
    key: query.get('sslkey'),
    passphrase: query.get('sslpassword'),
  });
}

function isTlsMode(mode: string): mode is TlsMode {
  return (TLS_MODES as readonly string[]).includes(mode);
}
