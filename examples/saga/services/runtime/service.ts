import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import type { ServiceConfig } from './config.ts';
import { consumeMessages, type Reactions } from './consumer.ts';
import { type Endpoint, serve } from './http.ts';
import { log } from './log.ts';

/** What makes one service: what it answers, what it reacts to, and what it does by itself. */
export interface ServiceParts {
  readonly endpoints: Readonly<Record<string, Endpoint>>;
  readonly reactions: Reactions;
  /** Done again and again, and right after each message; what is left undone when it fails is done the next time. */
  readonly chore?: (stopping: AbortSignal) => Promise<void>;
}

const CHORE_EVERY_MS = 200;

/** Runs a service until SIGTERM: then what is begun is ended, and the process too. */
export async function runService(
  service: string,
  config: ServiceConfig,
  parts: (pool: pg.Pool) => ServiceParts,
): Promise<void> {
  const stopping = new AbortController();
  process.once('SIGTERM', () => stopping.abort());
  const pool = new pg.Pool({ connectionString: config.DATABASE_URL, max: 20 });
  const { endpoints, reactions, chore } = parts(pool);
  let ready = false;
  let wake = new AbortController();
  const health: Endpoint = () => Promise.resolve({ status: ready ? 200 : 503, body: { ready } });
  const server = await serve(config.PORT, { ...endpoints, 'GET /health': health });
  const on = { ready: () => void (ready = true), handled: () => wake.abort() };
  const consumed = consumeMessages({ pool, config, service, reactions }, on, stopping.signal);
  while (chore !== undefined && !stopping.signal.aborted) {
    wake = new AbortController();
    await chore(stopping.signal).catch((error: unknown) => log('chore-failed', { error }));
    const either = AbortSignal.any([wake.signal, stopping.signal]);
    await delay(CHORE_EVERY_MS, undefined, { signal: either }).catch(() => undefined);
  }
  await consumed;
  server.close();
  server.closeAllConnections();
  await pool.end();
}
