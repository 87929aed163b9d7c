import type { ErrorCode } from '../core/error-catalogue.ts';
import { RelayError } from '../core/errors.ts';
import type { TlsOptions } from '../core/tls.ts';

/** What proves who connects to whom; looked up again for every connection. */
export interface PostgresCredentials {
  readonly user: string;
  readonly password: string | null;
  /** Null: no TLS. */
  readonly tls: TlsOptions | null;
}

const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  'postgres_authentication',
  'postgres_client_certificate',
  'postgres_tls',
]);
const PAUSE = { baseMs: 2_000, maxMs: 60_000 };

/**
 * Holds logins back after one that was refused: the relay has several sessions, each of which would try again by itself,
 * and servers lock accounts, or fill their logs, for less. One attempt is made after each pause, for all of them; what is
 * asked meanwhile gets the refusal at once. With other credentials, such as a new password in the file, the next attempt
 * is made at once.
 */
export class LoginGate {
  readonly #now: () => number;
  readonly #random: () => number;
  #refusal: { readonly error: RelayError; readonly of: string; readonly until: number } | null = null;
  #refusals = 0;

  /**
   * @param now milliseconds of a monotonic clock
   * @param random in [0, 1), for the jitter
   */
  constructor(now: () => number = () => performance.now(), random: () => number = Math.random) {
    this.#now = now;
    this.#random = random;
  }

  /** @throws RelayError the last refusal, while its pause lasts */
  pass(credentials: PostgresCredentials): void {
    const refusal = this.#refusal;
    if (refusal?.of !== identity(credentials) || this.#now() >= refusal.until) return;
    const { code, message, remedy } = refusal.error;
    throw new RelayError(code, message, { cause: refusal.error, remedy });
  }

  accepted(): void {
    this.#refusal = null;
    this.#refusals = 0;
  }

  /** What a login came to that did not succeed; only refusals count. */
  failed(credentials: PostgresCredentials, error: RelayError): void {
    if (!REFUSALS.has(error.code)) return;
    const ceiling = Math.min(PAUSE.maxMs, PAUSE.baseMs * 2 ** Math.min(this.#refusals++, 10));
    const pauseMs = ceiling / 2 + (this.#random() * ceiling) / 2;
    this.#refusal = { error, of: identity(credentials), until: this.#now() + pauseMs };
  }
}

function identity({ user, password, tls }: PostgresCredentials): string {
  return JSON.stringify([user, password, tls]);
}
