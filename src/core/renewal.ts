/** Something whose credentials may be replaced while the relay runs: passwords, tokens, certificates in files. */
export interface Renewable<Credentials extends object> {
  /**
   * The credentials as their files say now. Absent where none come from a file.
   *
   * @throws RelayError `credentials_unusable` when a file cannot be read, or does not hold what it should
   */
  readonly renewed?: () => Credentials;
}

/**
 * Options with the credentials of this moment: to be asked for at every new connection, so that one that is made after a
 * rotation uses what was rotated in. Connections that are open are not touched.
 *
 * @throws RelayError `credentials_unusable`
 */
export function current<Options extends Renewable<object>>(options: Options): Options {
  return options.renewed === undefined ? options : { ...options, ...options.renewed() };
}
