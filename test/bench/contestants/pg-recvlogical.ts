import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram } from '../../support/services/child-process.ts';
import { PUBLICATION } from '../database.ts';
import { KILLED, startChild } from './child.ts';
import type { Contestant } from './contestant.ts';
import { ask, createSlot, untilSlotIsRead } from './slot.ts';

const PLUGIN_OPTIONS = ['proto_version=1', `publication_names=${PUBLICATION}`];

/** `pg_recvlogical`: reads the log, and throws it away. */
export const PG_RECVLOGICAL: Contestant = {
  name: 'pg_recvlogical',
  role: 'limit',
  does: 'reads',
  check: 'none',
  brokers: ['kafka', 'rabbitmq'],
  deletes: false,
  otherRows: 0,
  fetch: () => program(),
  prepare: ({ postgresUrl, name }) => createSlot(postgresUrl, name),
  start: async ({ postgresUrl, name, folder, rows }) => {
    const url = new URL(postgresUrl);
    const [begin] = await ask<{ at: string }>(postgresUrl, 'SELECT pg_current_wal_lsn() AS at');
    return startChild({
      command: await program(),
      args: [
        ...['--host', url.hostname, '--port', url.port, '--username', url.username, '--no-password'],
        ...['--dbname', url.pathname.slice(1), '--slot', name, '--start', '--file', '/dev/null'],
        ...PLUGIN_OPTIONS.flatMap((option) => ['--option', option]),
      ],
      folder,
      untilStreaming: () => untilSlotIsRead(postgresUrl, name),
      progress: async () => {
        const [row] = await ask<{ share: number }>(postgresUrl, SHARE_SENT, [begin?.at, name]);
        return Math.floor((row?.share ?? 0) * rows);
      },
      ends: KILLED,
    });
  },
};

/** Rows are alike, so that the share of the log that was sent is their share, once all of it is written. */
const SHARE_SENT = `
  SELECT coalesce(least(1, pg_wal_lsn_diff(r.sent_lsn, $1)
      / nullif(pg_wal_lsn_diff(pg_current_wal_flush_lsn(), $1), 0)), 0)::float8 AS share
    FROM pg_stat_replication r JOIN pg_replication_slots s ON s.active_pid = r.pid WHERE s.slot_name = $2`;

/** @throws when no Postgres client is installed: the server that tests start does not bring it */
async function program(): Promise<string> {
  const debian = '/usr/lib/postgresql';
  const versions = (await readdir(debian).catch(() => [])).sort((a, b) => Number(b) - Number(a));
  const places = [...versions.map((version) => join(debian, version, 'bin')), '/opt/homebrew/opt/libpq/bin'];
  const found = findProgram('pg_recvlogical', places);
  if (found === undefined) throw new Error('pg_recvlogical is not installed, and the npm packages of Postgres lack it');
  return found;
}
