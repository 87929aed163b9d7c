import { CLIENT_ALONE } from './client-alone.ts';
import type { Contestant } from './contestant.ts';
import { DEBEZIUM } from './debezium.ts';
import type { PeerName } from './names.ts';
import { KAFKA_PERF_TEST, RABBITMQ_PERF_TEST } from './perf-tests.ts';
import { PG_TRANSACTIONAL_OUTBOX } from './pg-transactional-outbox.ts';
import { PG_RECVLOGICAL } from './pg-recvlogical.ts';

/** Those the relay is compared with, by their names. */
export const PEERS: Readonly<Record<PeerName, Contestant>> = {
  debezium: DEBEZIUM,
  'pg-transactional-outbox': PG_TRANSACTIONAL_OUTBOX,
  'client-alone': CLIENT_ALONE,
  'kafka-producer-perf-test': KAFKA_PERF_TEST,
  'rabbitmq-perf-test': RABBITMQ_PERF_TEST,
  pg_recvlogical: PG_RECVLOGICAL,
};
