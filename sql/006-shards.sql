-- Of how many shards the lease is one, and by which column rows are shared out (null: there is one shard). The row of shard
-- 0 tells what is in force; relays that are configured otherwise stand by (src/leader/layout.ts).
ALTER TABLE {{lease}}
  ADD COLUMN IF NOT EXISTS shards   integer NOT NULL DEFAULT 1,
  ADD COLUMN IF NOT EXISTS shard_by text;
