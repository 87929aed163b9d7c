-- Ids of published rows for `outbox-relay verify`, where `published.retain` is set. Written by the statement that deletes
-- the row, deleted again when they are old.
CREATE TABLE IF NOT EXISTS {{published}} (
  position     bigint      NOT NULL,
  id           text        NOT NULL,
  destination  text        NOT NULL,
  address      text        NOT NULL,
  routing_key  text,
  key          text,
  dead_letter  boolean     NOT NULL,
  published_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (
  -- Written and deleted at the rate of the outbox: vacuum by count, as there.
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 50000,
  autovacuum_vacuum_cost_delay = 0
);
-- New entries go to its right end, old ones are found at its left: both cheap, however many there are.
CREATE INDEX IF NOT EXISTS {{published_at_index}} ON {{published}} (published_at);
COMMENT ON TABLE {{published}} IS 'What outbox-relay has published lately; see outbox-relay verify.';
