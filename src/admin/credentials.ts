import { describeError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { current, type Renewable } from '../core/renewal.ts';
import { sameTls, type AdminTls } from './tls.ts';

/** What the admin port shows and asks for. */
export interface AdminCredentials {
  /** Null: none is asked for. */
  readonly token: string | null;
  /** Null: plain HTTP. */
  readonly tls: AdminTls | null;
}

export type RenewableCredentials = AdminCredentials & Renewable<AdminCredentials>;

/** How soon a token or certificate that was replaced in its file is used. */
const LOOK_MS = 5_000;

/** The credentials of this moment. What cannot be read is told, and what was read before goes on to be used. */
export class CredentialWatch {
  readonly #source: RenewableCredentials;
  readonly #log: Log;
  readonly #tlsChanged: (tls: AdminTls) => void;
  #now: AdminCredentials;
  #failure: string | null = null;
  #timer: NodeJS.Timeout | undefined;

  /** @param tlsChanged is given the new certificate; what it throws is told, and the old one stays */
  constructor(source: RenewableCredentials, log: Log, tlsChanged: (tls: AdminTls) => void) {
    this.#source = source;
    this.#now = source;
    this.#log = log;
    this.#tlsChanged = tlsChanged;
  }

  get token(): string | null {
    return this.#now.token;
  }

  start(): void {
    if (this.#source.renewed === undefined) return;
    this.#timer = setInterval(() => this.look(), LOOK_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Reads the files again. */
  look(): void {
    try {
      const latest = current(this.#source);
      if (latest.tls !== null && !sameTls(latest.tls, this.#now.tls)) {
        this.#tlsChanged(latest.tls);
        this.#log.info({}, 'the certificate of the admin port was replaced');
      }
      this.#now = latest;
      this.#failure = null;
    } catch (error) {
      const failure = describeError(error);
      if (failure !== this.#failure) this.#log.warn({ error }, 'the admin port keeps its token and certificate');
      this.#failure = failure;
    }
  }
}
