import { setTimeout as delay } from 'node:timers/promises';
import { createPublication } from '../../../src/postgres/publication.ts';
import { quoteIdentifier } from '../../../src/postgres/identifier.ts';
import { workloadTables } from '../../support/workload/tables.ts';
import type { Stage } from '../stage.ts';
import type { Fault } from './fault.ts';

const GIANT = { keys: 2_000, rowsPerKey: 25 };

/** What operators and migrations do. */
export const TABLE_FAULTS = {
  'publication-drop': {
    lanes: ['table'],
    lasts: [0, 4_000],
    strike: async ({ sql, publication, table }, forMs) => {
      const drop = `DROP PUBLICATION IF EXISTS ${quoteIdentifier(publication)}`;
      await sql(drop);
      await delay(forMs);
      await sql(`BEGIN; ${drop}; ${createPublication(publication, table)} COMMIT`);
    },
  },
  'rewriting-alter': {
    lanes: ['table'],
    lasts: [0, 1_000],
    strike: async ({ sql, outbox }, forMs) => {
      await sql(`ALTER TABLE ${outbox} ALTER COLUMN type TYPE varchar(${200 + forMs}) USING type || ''`);
      await delay(forMs);
      await sql(`ALTER TABLE ${outbox} ALTER COLUMN type TYPE text USING type || ''`);
    },
  },
  'vacuum-full': { lanes: ['table'], lasts: [0, 0], strike: ({ sql, outbox }) => sql(`VACUUM FULL ${outbox}`) },
  /** A transaction that holds the horizon, and keeps slots from being created. */
  'long-transaction': {
    lanes: ['table'],
    lasts: [1_000, 6_000],
    strike: ({ sql }, forMs) => sql(`BEGIN; SELECT pg_current_xact_id(); SELECT pg_sleep(${forMs / 1000}); COMMIT`),
  },
  /** 50,000 rows of their own keys, whose versions go on when a lost connection repeats it. */
  'giant-transaction': {
    lanes: ['table'],
    lasts: [0, 0],
    strike: (stage) => stage.sql(giantTransaction(stage)),
  },
  /** Deletions fail as they do when the log has no room to grow. */
  'disk-full': {
    lanes: ['table'],
    lasts: [500, 5_000],
    ownOnly: true,
    strike: async ({ sql, table, outbox }, forMs) => {
      const refuse = `${quoteIdentifier(table.schema)}.refuse`;
      await sql(`
        CREATE OR REPLACE FUNCTION ${refuse}() RETURNS trigger LANGUAGE plpgsql AS
          $$ BEGIN RAISE 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
        DROP TRIGGER IF EXISTS refuse ON ${outbox};
        CREATE TRIGGER refuse BEFORE DELETE ON ${outbox} EXECUTE FUNCTION ${refuse}()`);
      await delay(forMs);
      await sql(`DROP TRIGGER IF EXISTS refuse ON ${outbox}`);
    },
  },
  'replication-revoked': {
    lanes: ['table'],
    lasts: [500, 5_000],
    strike: async ({ sql, role }, forMs) => {
      await sql(`ALTER ROLE ${role} NOREPLICATION`);
      await sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_replication WHERE usename = '${role}'`);
      await delay(forMs);
      await sql(`ALTER ROLE ${role} REPLICATION`);
    },
  },
} satisfies Readonly<Record<string, Fault>>;

function giantTransaction({ table }: Stage): string {
  const { outbox, aggregate, ledger } = workloadTables(table);
  const { keys, rowsPerKey } = GIANT;
  return `
    BEGIN;
    INSERT INTO ${aggregate} (key) SELECT 'giant-' || n FROM generate_series(1, ${keys}) n ON CONFLICT DO NOTHING;
    WITH owned AS (UPDATE ${aggregate} SET version = version + ${rowsPerKey} WHERE key LIKE 'giant-%'
                     RETURNING key, version - ${rowsPerKey} AS before),
         event AS MATERIALIZED (SELECT gen_random_uuid() AS id, key, before + n AS version
                                  FROM owned, generate_series(1, ${rowsPerKey}) n),
         noted AS (INSERT INTO ${ledger} (id, key, version) SELECT id, key, version FROM event)
    INSERT INTO ${outbox} (id, aggregatetype, aggregateid, type, payload)
      SELECT id, 'giant', key, 'written', jsonb_build_object('key', key, 'version', version) FROM event ORDER BY version;
    COMMIT`;
}
