-- Who publishes: one row a shard, its epoch raised by every take-over.
CREATE TABLE IF NOT EXISTS {{lease}} (
  shard      integer     NOT NULL PRIMARY KEY,
  epoch      bigint      NOT NULL,
  holder     text        NOT NULL,
  renewed_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (
  -- Renewed every few seconds for ever: room on the page keeps updates out of the index (HOT), and a count, not a share
  -- of one row, says when to vacuum.
  fillfactor = 10,
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 1000
);
COMMENT ON TABLE {{lease}} IS 'Which outbox-relay instance publishes.';
