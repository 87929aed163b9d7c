/** What the URLs of Postgres and RabbitMQ have in common. Messages never repeat any part of a login. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/**
 * Parses `host`, `host:port`, `[::1]:5432` and `/socket/folder`, separated by commas.
 *
 * @throws RangeError when an entry has another form
 */
export function parseHosts(text: string, defaultPort: number): readonly HostPort[] {
  return text.split(',').map((entry) => {
    const match = /^(?:\[(?<six>[0-9a-fA-F:.]+)\]|(?<host>[^\s:[\]@]+))(?::(?<port>[0-9]{1,5}))?$/.exec(entry.trim());
    const host = match?.groups?.six ?? match?.groups?.host;
    const port = Number(match?.groups?.port ?? defaultPort);
    if (host === undefined || port < 1 || port > 65535) {
      throw new RangeError('expected hosts of the form host or host:port (IPv6 in brackets), separated by commas');
    }
    return { host: decodePart(host), port };
  });
}

/** Splits `user:password`, decoded; either may be undefined. */
export function splitLogin(
  login: string | undefined,
): readonly [user: string | undefined, password: string | undefined] {
  if (login === undefined || login === '') return [undefined, undefined];
  const colon = login.indexOf(':');
  return colon < 0
    ? [decodePart(login), undefined]
    : [decodePart(login.slice(0, colon)) || undefined, decodePart(login.slice(colon + 1))];
}

/**
 * Percent-decodes a part of a URL.
 *
 * @throws RangeError when it is not encoded well
 */
export function decodePart(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new RangeError('a % in a URL starts a percent-encoded character (%25 is a % itself)');
  }
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Leaves out what is undefined, so that "not said" has one form only. */
export function definedOnly<T extends object>(values: T): Defined<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>;
}
