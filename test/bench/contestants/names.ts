/** Those the relay is compared with, by the names that the command line and the reports know. */
export const PEER_NAMES = [
  'debezium',
  'pg-transactional-outbox',
  'client-alone',
  'kafka-producer-perf-test',
  'rabbitmq-perf-test',
  'pg_recvlogical',
] as const;

export type PeerName = (typeof PEER_NAMES)[number];
