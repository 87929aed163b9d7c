/** errno and resolver codes of a connection that is not to be had, or was lost. */
const UNREACHABLE =
  /^(E(CONNREFUSED|CONNRESET|CONNABORTED|PIPE|TIMEDOUT|HOSTUNREACH|HOSTDOWN|NETUNREACH|NETDOWN|NOTFOUND|AI_AGAIN|NOENT|ACCES|ADDRNOTAVAIL)|ERR_SOCKET_CLOSED|ERR_STREAM_DESTROYED|ERR_STREAM_WRITE_AFTER_END)$/;

/** What `pg` says of a lost connection without any code. */
const UNREACHABLE_TEXT =
  /^Connection terminated|^Client (was closed|has encountered)|^timeout expired$|^timeout exceeded when trying to connect$/;

/** How far errors are followed back to their causes: libraries wrap what the driver throws. */
const DEPTH = 5;

/** The SQLSTATE of an error from Postgres, looked for in its causes too; null when there is none. */
export function sqlState(error: unknown): string | null {
  for (const at of causes(error)) {
    const code = errorCode(at);
    // A node errno such as EPIPE has five letters too; a SQLSTATE always has a digit.
    if (code !== undefined && /^(?=.*[0-9])[0-9A-Z]{5}$/.test(code)) return code;
  }
  return null;
}

/** Whether the client, not the server, tells of a connection that was refused or lost, in the error or its causes. */
export function isConnectionFailure(error: unknown): boolean {
  return causes(error).some((at) => {
    const code = errorCode(at);
    return code === undefined ? UNREACHABLE_TEXT.test(at.message) : UNREACHABLE.test(code);
  });
}

/** Of Node's happy-eyeballs connect, which gives one error an address, the first. */
export function firstError(error: Error): Error {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : undefined;
  return first instanceof Error ? first : error;
}

/** The `code` that Node, `pg` and most libraries give their errors. */
export function errorCode(error: Error): string | undefined {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' ? code : undefined;
}

function causes(error: unknown): readonly Error[] {
  const found: Error[] = [];
  for (let at = error; at instanceof Error && found.length < DEPTH; at = at.cause) found.push(firstError(at));
  return found;
}
