import { setTimeout as delay } from 'node:timers/promises';
import { createPublication } from '../../../src/postgres/publication.ts';
import { quoteIdentifier } from '../../../src/postgres/identifier.ts';
import type { Fault } from './fault.ts';

/** What operators and migrations do. */
export const TABLE_FAULTS = {
  'publication-drop': {
    lane: 'table',
    lasts: [0, 4_000],
    strike: async ({ sql, publication, table }, forMs) => {
      const drop = `DROP PUBLICATION IF EXISTS ${quoteIdentifier(publication)}`;
      await sql(drop);
      await delay(forMs);
      await sql(`BEGIN; ${drop}; ${createPublication(publication, table)} COMMIT`);
    },
  },
  'rewriting-alter': {
    lane: 'table',
    lasts: [0, 1_000],
    strike: async ({ sql, outbox }, forMs) => {
      await sql(`ALTER TABLE ${outbox} ALTER COLUMN type TYPE varchar(${200 + forMs}) USING type || ''`);
      await delay(forMs);
      await sql(`ALTER TABLE ${outbox} ALTER COLUMN type TYPE text USING type || ''`);
    },
  },
  'vacuum-full': { lane: 'table', lasts: [0, 0], strike: ({ sql, outbox }) => sql(`VACUUM FULL ${outbox}`) },
  /** A transaction that holds the horizon, and keeps slots from being created. */
  'long-transaction': {
    lane: 'table',
    lasts: [1_000, 6_000],
    strike: ({ sql }, forMs) => sql(`BEGIN; SELECT pg_current_xact_id(); SELECT pg_sleep(${forMs / 1000}); COMMIT`),
  },
  'replication-revoked': {
    lane: 'table',
    lasts: [500, 5_000],
    strike: async ({ sql, role }, forMs) => {
      await sql(`ALTER ROLE ${role} NOREPLICATION`);
      await sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_replication WHERE usename = '${role}'`);
      await delay(forMs);
      await sql(`ALTER ROLE ${role} REPLICATION`);
    },
  },
} satisfies Readonly<Record<string, Fault>>;
