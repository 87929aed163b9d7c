import { setTimeout as delay } from 'node:timers/promises';
import type { Stage } from '../stage.ts';
import type { Fault } from './fault.ts';

/** Ends the sessions of the relay that meet a condition on `pg_stat_activity`. */
async function endSessions({ sql, role }: Stage, condition: string): Promise<void> {
  await sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${role}' AND ${condition}`);
}

const HOLDS_THE_LOCK = "pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted)";

/** Of the log, that are begun while the relay cannot report how far it is. */
const SEGMENTS = 3;

/** What happens to the database and to the way there. The network fails relays only, never the writers. */
export const POSTGRES_FAULTS = {
  'walsender-end': {
    lanes: ['sessions'],
    lasts: [0, 0],
    strike: (stage) => endSessions(stage, "backend_type = 'walsender'"),
  },
  /** Again and again, so that streams break while they are opened and during the handover. */
  'walsender-flapping': {
    lanes: ['sessions'],
    lasts: [1_000, 5_000],
    strike: async (stage, forMs) => {
      const end = performance.now() + forMs;
      while (performance.now() < end) {
        await endSessions(stage, "backend_type = 'walsender'");
        await delay(250);
      }
    },
  },
  /** All but the walsender. */
  'sessions-end': {
    lanes: ['sessions'],
    lasts: [0, 0],
    strike: (stage) => endSessions(stage, "backend_type <> 'walsender'"),
  },
  'leader-session-end': {
    lanes: ['sessions'],
    lasts: [0, 0],
    ownOnly: true,
    strike: (stage) => endSessions(stage, HOLDS_THE_LOCK),
  },
  'postgres-crash': {
    lanes: ['postgres'],
    lasts: [0, 2_000],
    strike: async ({ postgres: { primary } }, forMs) => {
      await primary.stop('immediate');
      await delay(forMs);
      await primary.restart();
    },
  },
  'postgres-kill': {
    lanes: ['postgres'],
    lasts: [0, 2_000],
    strike: async ({ postgres: { primary } }, forMs) => {
      await primary.kill();
      await delay(forMs);
      await primary.restart();
    },
  },
  'postgres-restart': { lanes: ['postgres'], lasts: [0, 0], strike: ({ postgres }) => postgres.primary.restart() },
  'postgres-switchover': {
    lanes: ['postgres'],
    lasts: [0, 0],
    ownOnly: true,
    strike: ({ postgres }) => postgres.switchOver(),
  },
  /** The old primary lags for so long, is killed for good, and is replaced by a new standby of what was its own. */
  'postgres-failover': {
    lanes: ['postgres', 'table'],
    lasts: [0, 1_000],
    losesCommits: true,
    ownOnly: true,
    strike: ({ postgres }, forMs) => postgres.failOver(forMs),
  },
  /** The slot falls behind what the server is told to keep, and the server ends it. */
  'slot-invalidated': {
    lanes: ['postgres'],
    lasts: [0, 0],
    strike: async ({ postgres: { relayProxy }, sql }) => {
      await sql("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'");
      await sql('SELECT pg_reload_conf()');
      relayProxy.blackhole(['requests']);
      for (let segment = 0; segment < SEGMENTS; segment++) {
        await sql('SELECT pg_switch_wal()');
        await sql('CHECKPOINT');
      }
      await relayProxy.heal();
      await sql('ALTER SYSTEM RESET max_slot_wal_keep_size');
      await sql('SELECT pg_reload_conf()');
    },
  },
  'postgres-freeze': {
    lanes: ['postgres'],
    lasts: [500, 6_000],
    strike: async ({ postgres: { primary } }, forMs) => {
      await primary.pause();
      await delay(forMs);
      await primary.resume();
    },
  },
  /** Commits wait for a standby that is not there: they are in the log, and nobody sees them yet. */
  'standby-wait': {
    lanes: ['postgres'],
    lasts: [500, 4_000],
    strike: async ({ sql }, forMs) => {
      await sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
      await sql('SELECT pg_reload_conf()');
      await delay(forMs);
      await sql('ALTER SYSTEM RESET synchronous_standby_names');
      await sql('SELECT pg_reload_conf()');
    },
  },
  'postgres-blackhole': {
    lanes: ['postgres'],
    lasts: [500, 8_000],
    strike: async ({ postgres: { relayProxy } }, forMs) => {
      relayProxy.blackhole();
      await delay(forMs);
      await relayProxy.heal();
    },
  },
  /** Statements are executed, and nobody learns of it. */
  'postgres-responses-lost': {
    lanes: ['postgres'],
    lasts: [200, 4_000],
    strike: async ({ postgres: { relayProxy } }, forMs) => {
      relayProxy.blackhole(['responses']);
      await delay(forMs);
      await relayProxy.heal();
    },
  },
  'postgres-reset': {
    lanes: ['postgres'],
    lasts: [0, 0],
    strike: ({ postgres }) => {
      postgres.relayProxy.reset();
      return Promise.resolve();
    },
  },
} satisfies Readonly<Record<string, Fault>>;
