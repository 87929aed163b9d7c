import { randomInt, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import type { Accounting, WrittenRow } from './accounting.ts';

/** How the shop of the demo writes. */
export interface WriterOptions {
  readonly url: string;
  /** Outbox rows a second. */
  readonly rate: number;
  readonly accounting: Accounting;
}

const ORDERS = 200;
const EVENTS = ['OrderPlaced', 'OrderPaid', 'OrderPacked', 'OrderShipped'] as const;
const MAX_ROWS = 3;
const ROWS_PER_WRITER = 250;
const MAX_WRITERS = 16;
/** One transaction in so many changes its mind: its rows must never be published. */
const ROLLBACK_EVERY = 40;

/** The row of the aggregate is locked until the end: writers of one order follow each other, and so do its events. */
const CHANGE_ORDER = `INSERT INTO orders AS o (id, version) VALUES ($1, $2)
  ON CONFLICT (id) DO UPDATE SET version = o.version + excluded.version, changed_at = now() RETURNING version`;
const INSERT_EVENT = `INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload) VALUES ($1, 'order', $2, $3, $4)`;

/**
 * Changes orders and writes what happened into the outbox, in the same transactions, from several connections at once,
 * until `signal` is aborted; transactions that have begun are brought to their end.
 */
export async function write(options: WriterOptions, signal: AbortSignal): Promise<void> {
  const pace = new Pace(options.rate);
  const writers = Math.min(MAX_WRITERS, Math.max(2, Math.ceil(options.rate / ROWS_PER_WRITER)));
  await Promise.all(Array.from({ length: writers }, () => writeInTurn(options, pace, signal)));
}

async function writeInTurn({ url, accounting }: WriterOptions, pace: Pace, signal: AbortSignal): Promise<void> {
  const client = new pg.Client({ connectionString: url, application_name: 'demo shop' });
  await client.connect();
  try {
    for (;;) {
      const events = randomInt(1, MAX_ROWS + 1);
      await pace.turn(events, signal);
      if (signal.aborted) return;
      await transaction(client, events, accounting);
    }
  } finally {
    await client.end();
  }
}

async function transaction(client: pg.Client, events: number, accounting: Accounting): Promise<void> {
  const key = `order-${randomInt(ORDERS)}`;
  await client.query('BEGIN');
  const { rows } = await client.query<{ version: number }>({
    name: 'change-order',
    text: CHANGE_ORDER,
    values: [key, events],
  });
  const last = rows[0]?.version ?? 0;
  const written: WrittenRow[] = [];
  for (let version = last - events + 1; version <= last; version++) {
    const row = { id: randomUUID(), key, version };
    const type = EVENTS[version % EVENTS.length] ?? EVENTS[0];
    const payload = JSON.stringify({ order: key, version, total: randomInt(100, 100_000) / 100, currency: 'EUR' });
    await client.query({ name: 'insert-event', text: INSERT_EVENT, values: [row.id, key, type, payload] });
    written.push(row);
  }
  accounting.sent(written, performance.now());
  if (randomInt(ROLLBACK_EVERY) === 0) {
    await client.query('ROLLBACK');
    accounting.rolledBack(written);
  } else {
    await client.query('COMMIT');
    accounting.committed(written);
  }
}

/** Hands out turns at an even rate, to whichever writer asks; a late one is made up for. */
class Pace {
  readonly #msPerRow: number;
  #next = performance.now();

  constructor(rowsPerSecond: number) {
    this.#msPerRow = 1000 / rowsPerSecond;
  }

  /** Waits until it is time for so many rows more, or until `signal` is aborted. */
  async turn(rows: number, signal: AbortSignal): Promise<void> {
    const at = this.#next;
    this.#next += rows * this.#msPerRow;
    const ms = at - performance.now();
    if (ms > 0) await delay(ms, undefined, { signal }).catch(() => undefined);
  }
}
