import { connect } from 'node:tls';
import type { RelayError } from '../../core/errors.ts';
import { current } from '../../core/renewal.ts';
import { brokerTlsError, tlsOptions } from '../tls.ts';
import type { KafkaOptions } from './options.ts';

const ANSWER_MS = 1_000;

/**
 * Finds out whether it is the relay's certificate that a broker closes connections for. By TLS 1.3 it says so only after
 * the client has taken the connection for made, and `@platformatic/kafka` then tells of no more than a closed one.
 *
 * @returns null when TLS is not the trouble, or nothing is heard
 */
export async function tlsRefusal(given: KafkaOptions): Promise<RelayError | null> {
  const { tls, brokers } = current(given);
  const match = /^\[?(.+?)\]?:(\d+)$/.exec(brokers[0] ?? '');
  if (tls === null || match === null) return null;
  const socket = connect({ host: match[1], port: Number(match[2]), timeout: ANSWER_MS, ...tlsOptions(tls) });
  const error = await new Promise<unknown>((resolve) => {
    socket
      .once('error', resolve)
      .once('timeout', () => resolve(null))
      .once('close', () => resolve(null));
    // there is nothing to read: the alert is an error
    socket.resume();
  });
  socket.destroy();
  if (!(error instanceof Error) || !('code' in error)) return null;
  return brokerTlsError(error.code, `connecting to Kafka: ${error.message}`, error);
}
