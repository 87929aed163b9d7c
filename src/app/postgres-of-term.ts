import type { PostgresOptions, SessionPlace } from '../postgres/connection.ts';
import { TermPrimary, type KnownPrimaries } from '../postgres/primary.ts';

/** How the sessions of one term of leadership connect. */
export interface PostgresOfTerm {
  readonly postgres: PostgresOptions;
  /** Aborted, with a RelayError as its reason, when one of them has met another primary: the term must end at once. */
  readonly left: AbortSignal;
}

/** All sessions of a term go to the server of the leader's session, whose host is tried first. */
export function postgresOfTerm(
  postgres: PostgresOptions,
  { host, primary }: SessionPlace,
  known: KnownPrimaries,
): PostgresOfTerm {
  const hosts = [host, ...postgres.hosts.filter((other) => other !== host)];
  // a server that cannot tell who it is: at least the same host
  if (primary === null) return { postgres: { ...postgres, hosts }, left: new AbortController().signal };
  const admission = new TermPrimary(primary, known);
  return { postgres: { ...postgres, hosts, admission }, left: admission.left };
}
