import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { npmPackage } from '../../support/services/npm-package.ts';
import type { TransactionalOutboxAssignment } from '../clients/pg-transactional-outbox.ts';
import { writerProcedures, type WriterTarget } from '../rows.ts';
import { KILLED, startChild } from './child.ts';
import type { Contestant } from './contestant.ts';
import { ask, createSlot, untilSlotIsRead } from './slot.ts';

const PACKAGE = 'pg-transactional-outbox';
const VERSION = '0.5.7';
const CLIENT = fileURLToPath(new URL('../clients/pg-transactional-outbox.ts', import.meta.url));
const PUBLICATION = 'peer_outbox';

/** Its segments are the message keys, so that it keeps their order and works on several at once. */
const ITS_OUTBOX: WriterTarget = {
  table: 'peer.outbox',
  columns: {
    id: 'id',
    aggregate_type: 'type',
    aggregate_id: 'key',
    message_type: 'kind',
    segment: 'key',
    payload: 'payload',
  },
};

/** What of the library makes its table. */
interface Setup {
  readonly DatabaseSetup: {
    dropAndCreateTable(options: { outboxOrInbox: 'outbox'; schema: string; table: string }): string;
  };
}

/** The nearest relative in TypeScript: a library that reads the log, and marks each row by a transaction of its own. */
export const PG_TRANSACTIONAL_OUTBOX: Contestant = {
  name: PACKAGE,
  role: 'peer',
  does: 'all',
  check: 'ids',
  brokers: ['kafka'],
  mostRows: 5_000,
  table: ITS_OUTBOX.table,
  deletes: false,
  otherRows: 0,
  fetch: () => npmPackage(PACKAGE, VERSION),
  prepare: async ({ name, postgresUrl, shape }) => {
    const { DatabaseSetup } = createRequire(await npmPackage(PACKAGE, VERSION))(PACKAGE) as Setup;
    const [schema = '', table = ''] = ITS_OUTBOX.table.split('.');
    await ask(postgresUrl, DatabaseSetup.dropAndCreateTable({ outboxOrInbox: 'outbox', schema, table }));
    await ask(postgresUrl, `CREATE PUBLICATION ${PUBLICATION} FOR TABLE ${ITS_OUTBOX.table} WITH (publish = 'insert')`);
    await ask(postgresUrl, writerProcedures(shape, ITS_OUTBOX));
    await createSlot(postgresUrl, name);
  },
  start: async ({ name, postgresUrl, target, rows, shape, folder }) => {
    if (target.broker !== 'kafka') throw new TypeError('publishes to Kafka only');
    const assignment: TransactionalOutboxAssignment = {
      ...{ target, rows, shape, postgresUrl, slot: name, publication: PUBLICATION, table: ITS_OUTBOX.table },
      library: await npmPackage(PACKAGE, VERSION),
    };
    return startChild({
      command: process.execPath,
      args: ['--import', import.meta.resolve('tsx'), CLIENT, JSON.stringify(assignment)],
      folder,
      untilStreaming: () => untilSlotIsRead(postgresUrl, name),
      ends: KILLED,
    });
  },
};
