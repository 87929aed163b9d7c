import { z } from 'zod';
import { choice, duration, hostPorts, integer, section, size, text } from '../scalars.ts';
import { brokerTls } from '../tls.ts';
import { sasl } from './kafka-sasl.ts';

/** A destination of `type: kafka`; in the result durations are in milliseconds and say so in their names. */
export const kafkaSchema = section({
  type: z.literal('kafka').describe('This destination is an Apache Kafka cluster.'),
  driver: choice(['direct', 'platformatic', 'kafkajs'])
    .describe(
      'How requests are made. `direct` writes them itself, over the connections of `@platformatic/kafka`, for a fraction of the CPU; `platformatic` and `kafkajs` leave it to that client library.',
    )
    .prefault('direct'),
  brokers: hostPorts('kafka-1:9092,kafka-2:9092').describe(
    'Brokers to begin with, each `host:port`; a list, or one text with commas.',
  ),
  clientId: text('a name').describe("What the brokers' logs and quotas call the relay.").prefault('outbox-relay'),
  tls: brokerTls,
  sasl,
  compression: choice(['none', 'gzip', 'snappy', 'lz4'])
    .describe(
      'How batches are compressed. `lz4` and `snappy` halve JSON for little CPU; the driver kafkajs has `gzip` only.',
    )
    .prefault('none'),
  batchRows: integer(1, 100_000).describe('How many messages one request carries at most.').prefault(2000),
  batchBytes: size({ min: '1kB', max: '100MB' })
    .describe(
      "How many bytes, before compression, one request carries for one partition at most. Keep it below the topics' `max.message.bytes`; a single larger message is sent alone.",
    )
    .prefault('900kB'),
  requestBytes: size({ min: '1kB', max: '100MB' })
    .describe("How many bytes one request carries at most. Keep it below the brokers' `socket.request.max.bytes`.")
    .prefault('16MiB'),
  requestTimeout: duration({ min: '1s', max: '5m' })
    .describe('How long one request may take until its fate counts as unknown.')
    .prefault('20s'),
  connectTimeout: duration({ min: '100ms', max: '5m' })
    .describe('How long connecting to one broker may take.')
    .prefault('5s'),
  retryFor: duration({ min: '0s', max: '1h' })
    .describe('For how long the same batch is tried again, before the relay starts anew from the table.')
    .prefault('10s'),
})
  .superRefine(({ driver, compression, batchBytes, requestBytes }, context) => {
    if (driver === 'kafkajs' && (compression === 'snappy' || compression === 'lz4')) {
      context.addIssue({
        code: 'custom',
        path: ['compression'],
        message: 'expected none or gzip: the driver kafkajs has no other (direct and platformatic have)',
      });
    }
    if (batchBytes > requestBytes) {
      context.addIssue({
        code: 'custom',
        path: ['batchBytes'],
        message: 'expected at most requestBytes: a request carries at least one batch',
      });
    }
  })
  .transform(({ requestTimeout, connectTimeout, retryFor, ...options }) => ({
    ...options,
    requestTimeoutMs: requestTimeout,
    connectTimeoutMs: connectTimeout,
    retryForMs: retryFor,
  }))
  .describe('Kafka: idempotent, acknowledged by all in-sync replicas, one request in flight.');
