-- Marks of the outbox rows that are set aside; the rows themselves stay in the outbox.
CREATE TABLE IF NOT EXISTS {{parked}} (
  shard       integer     NOT NULL DEFAULT 0,
  position    bigint      NOT NULL,
  id          text        NOT NULL,
  destination text        NOT NULL,
  key         text,
  code        text        NOT NULL,
  reason      text        NOT NULL,
  attempts    integer     NOT NULL DEFAULT 1,
  parked_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (position, id)
);
-- A parked key holds all later rows of the key back: looked up by key. A hash, for keys may be too long for a B-tree.
CREATE INDEX IF NOT EXISTS {{parked_key_index}} ON {{parked}} USING hash (key);
COMMENT ON TABLE {{parked}} IS 'Rows that outbox-relay has set aside, with the reason; see outbox-relay parked.';
