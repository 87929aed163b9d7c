import type { Reading } from './value.ts';

/** Settings of the connector that the relay has no use for, and why; a name that ends with a dot stands for all behind it. */
const NOTHING_TO_DO: Readonly<Record<string, string>> = {
  'slot.name': 'the slot of the relay is temporary. Drop this one after the switch: nobody reads it any more',
  'slot.drop.on.stop': 'the slot of the relay is temporary',
  'slot.max.retries': 'without a slot the table is read; tried again without end',
  'slot.retry.delay.ms': 'without a slot the table is read; tried again without end',
  'slot.stream.params': 'the relay sets its own',
  'publication.name': 'the relay has its own, for inserts only, which `outbox-relay init` makes',
  'publication.autocreate.mode': '`outbox-relay init` makes the publication',
  'plugin.name': 'always pgoutput',
  'snapshot.': 'what is in the table is always published, before what follows',
  'heartbeat.': 'the slot is temporary: no log is kept for it while nothing is written',
  'offset.': 'the table is the only state: a row that is there has not been published',
  'schema.history.': 'there is no history of schemas to keep',
  'topic.prefix': "names Debezium's own topics; the route says where events go",
  'database.server.name': "names Debezium's own topics; the route says where events go",
  'schema.include.list': 'the relay reads one table',
  'schema.exclude.list': 'the relay reads one table',
  'table.exclude.list': 'the relay reads one table',
  'topic.creation.': 'topics must be there, or be made by the brokers',
  'tombstones.on.delete': 'deletions are not published',
  'skipped.operations': 'only inserts are published',
  'max.batch.size': '`batchRows` and `window` bound what is under way',
  'max.queue.': '`limits.memory` bounds all that is in flight',
  'poll.interval.ms': 'the log is followed at once',
  'tasks.max': 'one relay leads; `shards` lets several work',
  'database.tcpKeepAlive': 'always on',
  'database.initial.statements': 'sessions have settings of their own, by which both lanes print the same',
  'status.update.interval.ms': 'by `wal_sender_timeout` of the server',
  'xmin.fetch.interval.ms': 'not needed',
  'errors.': '`onError` of the route says what becomes of a row at fault; a broker that is away is waited for',
  'retriable.restart.': 'a broker or database that is away is waited for',
  'notification.': 'see metrics, /status and the log',
  'signal.': 'rows are parked, retried and dropped by `outbox-relay parked`',
  'provide.transaction.metadata': 'not published',
  'schema.name.adjustment.mode': 'schemas of columns have names that need no adjusting',
  'field.name.adjustment.mode': 'the router names the columns; `check` refuses one that the table does not have',
  'include.schema.changes': 'not published',
  'custom.metric.tags': 'see the labels of metrics.md',
  'event.processing.failure.handling.mode': '`onError` of the route',
  'lsn.flush.mode': 'what is published is deleted from the table; the log does not matter',
  'flush.lsn.source': 'what is published is deleted from the table; the log does not matter',
  'read.only': 'the relay deletes what it has published',
  'connector.class': 'Postgres',
  name: 'the name of the connector',
};

/** Settings that change what is sent: the value that makes no difference, and what to do about another. */
const CHANGES: Readonly<Record<string, readonly [harmless: string, meaning: string, remedy: string]>> = {
  'binary.handling.mode': [
    'bytes',
    'bytea payloads are sent as text of this encoding',
    'Let consumers take the bytes, or have the application write a text payload.',
  ],
  'decimal.handling.mode': [
    'string',
    'numeric columns in headers and envelopes are sent as texts',
    'Let consumers of such a header take a text, or place a column of another type.',
  ],
  'time.precision.mode': [
    'adaptive',
    'dates and times in headers and envelopes are sent as in the mode adaptive',
    'Let consumers take that, or place a text column.',
  ],
  'hstore.handling.mode': ['json', 'hstore is sent as Postgres prints it', 'Place a jsonb or text column instead.'],
  'interval.handling.mode': ['string', 'intervals are sent as Postgres prints them', 'Place a text column instead.'],
  'include.schema.comments': ['false', "schemas are without the columns' comments", 'Let consumers do without `doc`.'],
  'column.propagate.source.type': ['', 'schemas are without the types of the database', 'Let consumers do without.'],
  'datatype.propagate.source.type': ['', 'schemas are without the types of the database', 'Let consumers do without.'],
  'unavailable.value.placeholder': ['', 'does not come up: inserts have all their values', 'Nothing is to be done.'],
  'column.include.list': ['', 'the relay reads the columns that the configuration names', 'Nothing is to be done.'],
  'column.exclude.list': ['', 'the relay reads the columns that the configuration names', 'Nothing is to be done.'],
  'message.key.columns': ['', 'the key is that of the event router', 'Nothing is to be done.'],
};

/** Says of every setting that nothing has asked for yet what becomes of it, be it that it is not known. */
export function explainRest({ settings, findings }: Reading): void {
  for (const [name, setting] of settings.unused('source.')) {
    const own = name.slice('source.'.length);
    const change = CHANGES[own];
    if (change !== undefined) {
      const [harmless, meaning, remedy] = change;
      if (setting.value === harmless) findings.ok(setting.name, meaning);
      else findings.warning(setting.name, meaning, remedy);
    } else {
      const known = Object.entries(NOTHING_TO_DO).find(([key]) =>
        key.endsWith('.') ? own.startsWith(key) : own === key,
      );
      if (known !== undefined) findings.ok(setting.name, known[1]);
      else unknown(setting.name, { findings });
    }
    settings.settle(name);
  }
  for (const [name, setting] of settings.unused('other.')) {
    if (/^other\.(?:quarkus|mp|smallrye)\./.test(name))
      findings.ok(setting.name, 'is of the process, its log and its port: see `log` and `admin` of the options');
    else findings.ok(setting.name, "does not belong to Debezium's part of the file");
  }
  for (const [name, setting] of settings.unused()) if (!name.startsWith('other.')) unknown(setting.name, { findings });
}

function unknown(name: string, { findings }: Pick<Reading, 'findings'>): void {
  findings.warning(
    name,
    'this setting is not known here, and nothing in the file comes of it',
    'Look up what it does; options.md has what there is here.',
  );
}
