import { describeError, RelayError } from '../core/errors.ts';

/** What was thrown as a RelayError; anything unforeseen is `internal`, with what was being done. */
export function asRelayError(error: unknown, doing: string): RelayError {
  if (error instanceof RelayError) return error;
  return new RelayError('internal', `${doing}: ${describeError(error)}`, { cause: error });
}
