import type { Finding } from '../../core/finding.ts';

/** Collects what there is to say of settings. An `error` is what would make messages, or the relay, something else than is wanted. */
export class Findings {
  readonly #findings: Finding[] = [];

  get all(): readonly Finding[] {
    return this.#findings;
  }

  /** The same cannot be had, or only after something is done. */
  error(subject: string, message: string, remedy: string): void {
    this.#findings.push({ status: 'error', subject, message, remedy });
  }

  /** It is different here, or something is to be done besides. */
  warning(subject: string, message: string, remedy?: string): void {
    this.#findings.push({ status: 'warning', subject, message, ...(remedy !== undefined && { remedy }) });
  }

  /** There is nothing to do. */
  ok(subject: string, message: string): void {
    this.#findings.push({ status: 'ok', subject, message });
  }
}
