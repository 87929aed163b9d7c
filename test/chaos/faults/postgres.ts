import { setTimeout as delay } from 'node:timers/promises';
import type { Stage } from '../stage.ts';
import type { Fault } from './fault.ts';

/** Ends the sessions of the relay that meet a condition on `pg_stat_activity`. */
async function endSessions({ sql, role }: Stage, condition: string): Promise<void> {
  await sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${role}' AND ${condition}`);
}

const HOLDS_THE_LOCK = "pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted)";

/** What happens to the database and to the way there. The network fails relays only, never the writers. */
export const POSTGRES_FAULTS = {
  'walsender-end': {
    lane: 'sessions',
    lasts: [0, 0],
    strike: (stage) => endSessions(stage, "backend_type = 'walsender'"),
  },
  /** Again and again, so that streams break while they are opened and during the handover. */
  'walsender-flapping': {
    lane: 'sessions',
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
    lane: 'sessions',
    lasts: [0, 0],
    strike: (stage) => endSessions(stage, "backend_type <> 'walsender'"),
  },
  'leader-session-end': { lane: 'sessions', lasts: [0, 0], strike: (stage) => endSessions(stage, HOLDS_THE_LOCK) },
  'postgres-crash': {
    lane: 'postgres',
    lasts: [0, 2_000],
    strike: async ({ postgres: { primary } }, forMs) => {
      await primary.stop('immediate');
      await delay(forMs);
      await primary.restart();
    },
  },
  'postgres-kill': {
    lane: 'postgres',
    lasts: [0, 2_000],
    strike: async ({ postgres: { primary } }, forMs) => {
      await primary.kill();
      await delay(forMs);
      await primary.restart();
    },
  },
  'postgres-restart': { lane: 'postgres', lasts: [0, 0], strike: ({ postgres }) => postgres.primary.restart() },
  'postgres-switchover': { lane: 'postgres', lasts: [0, 0], strike: ({ postgres }) => postgres.switchOver() },
  'postgres-freeze': {
    lane: 'postgres',
    lasts: [500, 6_000],
    strike: async ({ postgres: { primary } }, forMs) => {
      await primary.pause();
      await delay(forMs);
      await primary.resume();
    },
  },
  /** Commits wait for a standby that is not there: they are in the log, and nobody sees them yet. */
  'standby-wait': {
    lane: 'postgres',
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
    lane: 'postgres',
    lasts: [500, 8_000],
    strike: async ({ postgres: { relayProxy } }, forMs) => {
      relayProxy.blackhole();
      await delay(forMs);
      await relayProxy.heal();
    },
  },
  /** Statements are executed, and nobody learns of it. */
  'postgres-responses-lost': {
    lane: 'postgres',
    lasts: [200, 4_000],
    strike: async ({ postgres: { relayProxy } }, forMs) => {
      relayProxy.blackhole(['responses']);
      await delay(forMs);
      await relayProxy.heal();
    },
  },
  'postgres-reset': {
    lane: 'postgres',
    lasts: [0, 0],
    strike: ({ postgres }) => {
      postgres.relayProxy.reset();
      return Promise.resolve();
    },
  },
} satisfies Readonly<Record<string, Fault>>;
