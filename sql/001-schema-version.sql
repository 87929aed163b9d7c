-- Migrations: applied once each, in the order of their numbers, and recorded in the table that this first one makes.
--
-- Placeholders in double braces are replaced by SQL texts that are already quoted: outbox, schema_version, parked, lease
-- and published are qualified table names, parked_key_index and published_at_index are single names, payload_type is one
-- of jsonb, json, text, bytea.
-- `outbox-relay init --dry-run` prints everything filled in. Comments that begin a line are left out when it runs.
--
-- Publication and grants depend on what is there already, and are no migrations: src/postgres/publication.ts and
-- src/postgres/privileges.ts bring them about, and `outbox-relay check` examines them from the same lists.
CREATE TABLE IF NOT EXISTS {{schema_version}} (
  version    integer     NOT NULL PRIMARY KEY,
  name       text        NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
