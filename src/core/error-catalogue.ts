/**
 * How an error steers the relay's life.
 *
 * - `transient`: try again with back-off (a lost connection, a broker that is down)
 * - `configuration`: somebody has to mend something; try again slowly and tell (authentication, a missing exchange)
 * - `row`: one row is at fault; the rest goes on
 * - `fatal`: going on would break a promise; stop with a non-zero exit code
 */
export type ErrorClass = 'transient' | 'configuration' | 'row' | 'fatal';

/** What the catalogue says of one error code; `docs/errors.md` is generated from it. */
export interface CatalogueEntry {
  readonly class: ErrorClass;
  /** What happened, in a sentence. */
  readonly meaning: string;
  /** How to mend it where nothing more exact is known at the place where it happens. */
  readonly remedy: string;
}

const entry = (kind: ErrorClass, meaning: string, remedy: string): CatalogueEntry => ({ class: kind, meaning, remedy });

/**
 * Every error code of the relay. Codes are stable: dashboards and runbooks name them. A test checks that each one is
 * raised somewhere in the source.
 */
export const ERROR_CATALOGUE = {
  // configuration
  config_invalid: entry(
    'fatal',
    'The configuration cannot be used.',
    'Correct the option that the message names; `outbox-relay check --config FILE` examines all of it.',
  ),
  credentials_unusable: entry(
    'configuration',
    'A password, token, certificate or key cannot be read anew from its file, or is not usable: a key that does not belong to its certificate, a wrong passphrase. Open connections go on; new ones are tried again slowly.',
    'Correct the file that the message names; it is read again with the next attempt.',
  ),

  // postgres
  postgres_unreachable: entry(
    'transient',
    'No connection to Postgres, or the connection was lost.',
    'Check that the server runs and that postgres.url names it; the relay goes on by itself.',
  ),
  postgres_authentication: entry(
    'configuration',
    'Postgres refused the login.',
    'Check user, password and pg_hba.conf; the relay tries again slowly.',
  ),
  postgres_tls: entry(
    'configuration',
    'The relay refuses the server: Postgres offers no TLS, or its certificate is not trusted, is for another host, has expired or is not valid yet.',
    'Check postgres.tls: mode, ca, and the name in the certificate.',
  ),
  postgres_client_certificate: entry(
    'configuration',
    "Postgres refuses the relay's certificate: it is missing, has expired, was revoked, or is of an unknown authority.",
    'Check postgres.tls: cert and key; files are read again with the next attempt.',
  ),
  postgres_query_failed: entry(
    'transient',
    'A statement failed for a reason that may pass (lock timeout, serialization, shutdown, resources).',
    'Nothing, unless it goes on: then look at the SQLSTATE in the message.',
  ),
  postgres_permission: entry(
    'configuration',
    'The relay role lacks a privilege.',
    'Run `outbox-relay init`, or the GRANT that `outbox-relay check` prints.',
  ),
  postgres_schema: entry(
    'configuration',
    'The outbox table, a column or an object of the relay is missing or has another shape than configured.',
    'Run `outbox-relay check` and `outbox-relay init`.',
  ),
  postgres_not_primary: entry(
    'transient',
    'The server is a standby (in recovery), or read-only.',
    'Point postgres.url at the primary; a multi-host URL follows a failover.',
  ),
  postgres_disk_full: entry(
    'transient',
    'Postgres has no room on its disk. Published rows cannot be deleted; at limits.undeleted publishing pauses.',
    'Make room on the disk that the message of the server names; the relay goes on by itself.',
  ),
  postgres_primary_changed: entry(
    'transient',
    'The primary is another server, or on another timeline, than before: a failover or a restore. The relay goes on from its table.',
    'Nothing after a planned switchover. After a failover to an asynchronous standby, transactions that it had not received are gone, published or not.',
  ),
  postgres_other_primary: entry(
    'transient',
    'A session came to another primary than the other sessions of this term of leadership. The term ends, and the next one begins with all sessions on one server.',
    'Nothing after a failover. If it goes on, postgres.url leads to several writable servers: let it name the primary only.',
  ),
  postgres_stale_primary: entry(
    'configuration',
    'A writable server is on an older timeline than one that the relay has worked with: an old primary that came back after a failover. It is not used.',
    'Stop the old primary and rebuild it as a standby. If it was restored on purpose, restart the relay.',
  ),

  // capture
  replication_unavailable: entry(
    'configuration',
    'Logical replication is not to be had; the relay polls the table instead.',
    'Do what the message tells, or set capture.mode: polling.',
  ),
  replication_wal_level: entry(
    'configuration',
    "The server's log carries too little for logical replication; the relay polls the table instead.",
    "ALTER SYSTEM SET wal_level = 'logical'; then restart Postgres. Or set capture.mode: polling.",
  ),
  replication_denied: entry(
    'configuration',
    'The relay role may not replicate, or is not let in for it; the relay polls the table instead.',
    'ALTER ROLE ... REPLICATION, and a line of pg_hba.conf that lets it into the database.',
  ),
  replication_exhausted: entry(
    'configuration',
    'No replication slot or walsender is free; the relay polls the table until there is one.',
    'Drop slots that nobody uses, or raise max_replication_slots and max_wal_senders.',
  ),
  replication_indirect: entry(
    'configuration',
    'The replication session does not reach the server that the SQL session is on: a pooler, a load balancer or another primary is between. The relay polls the table instead.',
    'Let postgres.url name the primary itself, past any pooler.',
  ),
  replication_publication: entry(
    'configuration',
    'The publication is missing, or does not bring all rows and columns of the outbox; the relay polls the table instead.',
    'The statement that the message tells; `outbox-relay check` examines it.',
  ),
  replication_slot_waits: entry(
    'transient',
    'The creation of the replication slot waits for a transaction that goes on and on; the relay polls the table and tries again.',
    'End the transaction that the message names: the slot has to wait for all that were running when its creation began.',
  ),
  replication_slot_lost: entry(
    'transient',
    "The server invalidated the relay's slot, or was about to, since it retained too much log; the relay reads the table and opens a new stream.",
    'Raise max_slot_wal_keep_size, or lower capture.walBudget below it, so that the relay closes the stream before.',
  ),
  replication_failed: entry(
    'transient',
    'The replication stream broke or could not be opened in time; the relay reads the table and tries again.',
    'Nothing, unless it goes on: then look at the message, and at the log of the server.',
  ),
  replication_protocol: entry(
    'transient',
    'The log carried something that the decoder does not know.',
    'Please report it with the message; the relay reads the table meanwhile.',
  ),
  wal_budget_near: entry(
    'transient',
    "The relay's slot retains most of capture.walBudget. At the budget the stream is closed and the table read instead.",
    'Nothing, unless it repeats: a transaction runs for long, or a destination is slower than the writers.',
  ),
  wal_budget_exceeded: entry(
    'transient',
    "The relay's slot retained more log than capture.walBudget; the stream was closed, the table is read instead.",
    'Nothing, unless it repeats: then a transaction runs for very long, or a destination is slower than the writers. Each time in close succession the relay waits longer before it opens a stream again.',
  ),
  buffer_full: entry(
    'transient',
    'What the stream brought did not fit into limits.memory; the rows are read from the table instead.',
    'Nothing; raise limits.memory if it happens all the time.',
  ),
  commits_waiting: entry(
    'transient',
    'Committed transactions have been in the log for seconds and are not visible: their commits wait for a synchronous standby. With capture.publishWhen: visible they are not published before.',
    "Look for the standby: SELECT pid, query FROM pg_stat_activity WHERE wait_event = 'SyncRep'; SELECT * FROM pg_stat_replication.",
  ),
  table_rewritten: entry(
    'transient',
    'The outbox table was rewritten, truncated or locked while it was read; the pass starts again.',
    'Nothing.',
  ),
  straggler_found: entry(
    'transient',
    'The audit found rows in the table which the stream had passed without publishing them; they are published from the table.',
    'Check that the publication covers the table (`outbox-relay check`), and that nobody moves rows between partitions.',
  ),

  // settling
  delete_blocked: entry(
    'configuration',
    'Published rows are visible and yet cannot be deleted: a policy or trigger is in the way. The destination stands still.',
    'Remove the DELETE trigger or row security policy that affects the relay role.',
  ),
  rows_missing: entry(
    'configuration',
    'Published rows were no longer in the table: somebody else deletes from it.',
    'Only the relay may delete: revoke DELETE and TRUNCATE on the table from all other roles.',
  ),
  rows_locked: entry(
    'transient',
    'Published rows, or the table, are locked by another session, so that they cannot be deleted; tried again every 2 seconds.',
    "Nothing, unless it goes on: find who holds the lock. SELECT pid, pg_blocking_pids(pid), query FROM pg_stat_activity WHERE wait_event_type = 'Lock'.",
  ),
  undeleted_limit: entry(
    'transient',
    'So many published rows wait for their deletion that publishing pauses.',
    'Look at the database: deletes are slow, blocked, or their transactions are not yet visible (a synchronous standby is missing).',
  ),

  // routing
  route_none: entry('row', 'No route takes the row.', 'Add a route, or a default route, then `retry` the row.'),
  route_template: entry(
    'row',
    'A template of the route could not be filled in from the row.',
    'Correct the template or the row; the message names the column.',
  ),
  route_headers: entry(
    'row',
    "The row's headers column is not a JSON object of strings, numbers, booleans or nulls.",
    'Write headers as a flat JSON object.',
  ),
  route_cloudevent: entry(
    'row',
    'The row cannot become a CloudEvent: an attribute comes to a value that the specification forbids, or a payload that is said to be JSON is not.',
    'Correct the row, or the option of `cloudEvents` that the message names, then `retry` the row.',
  ),

  // brokers
  broker_unreachable: entry(
    'transient',
    'The broker cannot be reached, or the connection to it was lost.',
    'Check that the broker runs and that the destination names it; rows wait in the table, and the relay goes on by itself.',
  ),
  broker_timeout: entry(
    'transient',
    'The broker did not answer in time.',
    'Nothing, unless it goes on: rows wait in the table.',
  ),
  broker_unavailable: entry(
    'transient',
    'The broker answered that it cannot take the message now (no leader, too few replicas, a full queue, an alarm).',
    'Look at the broker; rows wait in the table.',
  ),
  broker_authentication: entry(
    'configuration',
    'The broker refused the login (user, password or token) or the virtual host.',
    'Check user, password and virtual host of the destination; files are read again with the next attempt.',
  ),
  broker_tls: entry(
    'configuration',
    'The relay refuses the broker: its certificate is not trusted, is for another host, has expired or is not valid yet, or it speaks no TLS.',
    'Check tls of the destination: mode, ca, servername.',
  ),
  broker_client_certificate: entry(
    'configuration',
    "The broker refuses the relay's certificate: it is missing, has expired, was revoked, or is of an unknown authority.",
    'Check tls of the destination: cert and key; files are read again with the next attempt.',
  ),
  oauth_unavailable: entry(
    'transient',
    'The token endpoint of a destination with SASL OAUTHBEARER cannot be reached, or answered with an error of its own.',
    'Nothing, unless it goes on: look at the endpoint that the message names. Connections with a token go on meanwhile.',
  ),
  oauth_refused: entry(
    'configuration',
    'The token endpoint refuses the client, or gives no token.',
    'Check sasl.oauth: tokenUrl, clientId, clientSecret, scope, audience; files are read again with the next attempt.',
  ),
  broker_authorization: entry(
    'configuration',
    'The broker does not permit publishing there.',
    'Grant WRITE (Kafka) or the write permission (RabbitMQ) on what the message names.',
  ),
  broker_setup: entry(
    'configuration',
    'The broker is set up in a way that would lose messages or cannot take them (a missing exchange, a drop-head limit).',
    'Create or correct what the message names.',
  ),
  message_too_large: entry(
    'row',
    'The message is larger than the broker takes.',
    'Raise the limit of the topic or broker and `retry` the row, or `discard` it.',
  ),
  message_invalid: entry(
    'row',
    'The broker or its client refused the message as malformed (a topic name, a header, a property, a timestamp).',
    'The reason names the part; correct the route or the row.',
  ),
  message_unroutable: entry(
    'row',
    'RabbitMQ has no queue for the message (returned as unroutable), or Kafka has no such topic.',
    'Create the topic, or bind a queue for the routing key, then `retry` the row.',
  ),
  parked_limit: entry(
    'configuration',
    'So many rows of a destination are parked that the fault is not theirs (limits.parked), and one more is refused. The destination is down, parks no more, and tries again slowly.',
    'Mend what the rows have in common (`outbox-relay parked list`: a missing topic, a wrong template), then `parked retry --code CODE`; or raise limits.parked.',
  ),

  // verify
  verify_refused: entry(
    'configuration',
    'What `outbox-relay verify` was asked to compare cannot be compared.',
    'The message says why: too many ids at a time, a queue that cannot be read without taking its messages, a destination without a broker.',
  ),

  // tracing
  tracing_export: entry(
    'transient',
    'The collector did not take spans; they are lost. Messages are published all the same.',
    'Check that the collector runs, and tracing.endpoint, tracing.protocol and tracing.headers (or their OTEL_EXPORTER_OTLP_* variables).',
  ),

  // leadership
  leadership_lost: entry(
    'transient',
    'The connection that holds the leader lock was lost; publishing stopped at once.',
    'Nothing: this instance or another takes over.',
  ),
  shards_differ: entry(
    'configuration',
    'Relays with another number of shards, or another shard column, work at this outbox: two of them at once would publish keys out of order. This instance stands by until they have ended, and their leases are over.',
    'Give all relays of the outbox the same `shards` and `shardBy`. To change them, see docs/scaling.md.',
  ),

  // the relay itself
  halted: entry(
    'configuration',
    'A route with onError: halt met a row that the broker refuses; the destination stands still.',
    'Mend or remove the row that the message names, then restart the relay.',
  ),
  internal: entry('fatal', 'The relay broke one of its own invariants.', 'Please report it with the log.'),
} as const satisfies Record<string, CatalogueEntry>;

/** A code of {@link ERROR_CATALOGUE}. */
export type ErrorCode = keyof typeof ERROR_CATALOGUE;
