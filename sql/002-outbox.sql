-- Applied only where there is no outbox table yet; an existing one is used as it is.
CREATE TABLE IF NOT EXISTS {{outbox}} (
  -- Insertion order. CACHE 1, since sessions that take numbers in advance would mix up the order of a key's events.
  position      bigint         NOT NULL GENERATED ALWAYS AS IDENTITY (CACHE 1) PRIMARY KEY,
  -- The dedup key. No index: the relay never reads by it, and every index must be maintained by every insert.
  id            uuid           NOT NULL DEFAULT gen_random_uuid(),
  aggregatetype text           NOT NULL,
  aggregateid   text           NOT NULL,
  type          text           NOT NULL,
  payload       {{payload_type}},
  headers       jsonb,
  created_at    timestamptz    NOT NULL DEFAULT clock_timestamp()
) WITH (
  -- A queue is nearly empty however many rows pass through, so a share of its size says nothing: vacuum by count.
  -- Without it dead index entries pile up at the bottom of the table, just where every pass begins to read.
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 10000,
  autovacuum_vacuum_insert_scale_factor = 0,
  autovacuum_vacuum_insert_threshold = 100000,
  -- Statistics of a queue are out of date before they are written; the relay's statements do not depend on them.
  autovacuum_analyze_scale_factor = 0,
  autovacuum_analyze_threshold = 100000,
  -- At full speed, for the table is small and a vacuum that naps does not keep up with the deletes.
  autovacuum_vacuum_cost_delay = 0,
  toast.autovacuum_vacuum_scale_factor = 0,
  toast.autovacuum_vacuum_threshold = 10000,
  toast.autovacuum_vacuum_cost_delay = 0
);
COMMENT ON TABLE {{outbox}} IS 'Transactional outbox: applications insert, outbox-relay publishes and deletes.';
