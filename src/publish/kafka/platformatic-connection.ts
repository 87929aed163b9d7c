import { isIP } from 'node:net';
import type { BaseOptions } from '@platformatic/kafka';
import { tlsOptions } from '../tls.ts';
import type { KafkaOptions } from './options.ts';

/** How `@platformatic/kafka` reaches the cluster, as producer or otherwise. A new object each time: the library writes into it. */
export function connectionOptions({
  brokers,
  clientId,
  tls,
  sasl,
  requestTimeoutMs,
  connectTimeoutMs,
}: KafkaOptions): BaseOptions {
  return {
    clientId,
    bootstrapBrokers: [...brokers],
    connectTimeout: connectTimeoutMs,
    requestTimeout: requestTimeoutMs,
    autocreateTopics: false,
    ...(tls === null ? {} : { tls: tlsOptions(tls), tlsServerName: tls.servername ?? brokers.every(isNamed) }),
    ...(sasl === null ? {} : { sasl: { ...sasl } }),
  };
}

/** Whether a broker's host is a name: the server name indication of TLS must not be an address. */
function isNamed(broker: string): boolean {
  return isIP(broker.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')) === 0;
}
