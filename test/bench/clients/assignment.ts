import type { Target } from '../brokers/broker.ts';
import type { RowShape } from '../rows.ts';

/** What a client process is told, as JSON in its first argument. */
export interface ClientAssignment<Broker extends Target['broker']> {
  readonly target: Extract<Target, { broker: Broker }>;
  readonly rows: number;
  readonly shape: RowShape;
}

/** The assignment of this process. */
export function readAssignment(): unknown {
  return JSON.parse(process.argv[2] ?? '');
}

/** Stays until killed, so that what the process has taken can still be read. */
export function stay(): Promise<never> {
  setInterval(() => undefined, 60_000);
  return new Promise(() => undefined);
}
