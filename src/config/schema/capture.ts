import { choice, duration, integer, section, size, text } from './scalars.ts';

/** The `capture:` section: how rows are found. */
export const captureSchema = section({
  mode: choice(['auto', 'replication', 'polling'])
    .describe(
      '`auto`: from the log where that is to be had, else by polling the table. `replication`: the same, and `check` fails where the log is not to be had. `polling`: never from the log.',
    )
    .prefault('auto'),
  publication: text('a name of lower-case letters, digits and _ (at most 63)', /^[a-z_][a-z0-9_]{0,62}$/)
    .describe('Publication that covers inserts into the table; `outbox-relay init` creates it.')
    .prefault('outbox_relay'),
  slotPrefix: text('a name of lower-case letters, digits and _ (at most 30)', /^[a-z_][a-z0-9_]{0,29}$/)
    .describe('What the names of the temporary replication slots begin with. Relays of one server need different ones.')
    .prefault('outbox_relay'),
  publishWhen: choice(['logged', 'visible'])
    .describe(
      '`logged`: a streamed row is published once its commit is on the disk of the primary. `visible`: only once it is visible there too, hence after the synchronous standbys have it (`synchronous_standby_names`); costs a query for each batch of transactions. Rows read from the table are visible in any case.',
    )
    .prefault('logged'),
  pollInterval: duration({ min: '10ms', max: '1h' })
    .describe('Pause between two passes over the table while there is no stream.')
    .prefault('200ms'),
  passRows: integer(100, 10_000_000).describe('How many rows one pass over the table takes at most.').prefault(50_000),
  passTime: duration({ min: '100ms', max: '5m' })
    .describe('How long one pass may hold its snapshot; after that it ends and the next one begins.')
    .prefault('5s'),
  slotTimeout: duration({ min: '1s', max: '10m' })
    .describe('How long the creation of a slot may wait for running write transactions before it is tried again.')
    .prefault('30s'),
  retryReplication: duration({ min: '100ms', max: '1h' })
    .describe('Wait before replication is tried again after it was not to be had.')
    .prefault('15s'),
  walBudget: size({ min: '16MiB', max: '10TiB' })
    .describe(
      'How much log the slot may retain on the server. Beyond it the stream is closed and the table is read instead.',
    )
    .prefault('1GiB'),
  auditInterval: duration({ min: '1s', max: '1h' })
    .describe('How often the table is compared with what the stream delivered.')
    .prefault('45s'),
  handoverRows: integer(1, 1_000_000)
    .describe('How many rows may still wait when the relay changes from the table to the stream.')
    .prefault(1000),
})
  .describe('How committed rows are found: in the log, or in the table.')
  .prefault({});
