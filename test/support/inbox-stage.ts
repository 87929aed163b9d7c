/** An inbox on a database of its own, with a table of effects that handlers write to: what tests of the inbox stand on. */
import pg from 'pg';
import { afterEach } from 'vitest';
import type { Delivery, InboxEvent, InboxMessage, InboxOptions, Outcome } from '../../src/inbox/index.ts';
import { createInbox, createInboxTables, type Inbox } from '../../src/inbox/index.ts';
import type { ProcessOptions } from '../../src/inbox/processor.ts';
import { sharedAbort } from '../../src/inbox/shared-signal.ts';
import { bulkhead } from '../../src/resilience/index.ts';
import { uniqueName } from './unique-name.ts';

/** What a handler has written. */
export interface Effect {
  readonly id: string;
  readonly key: string | null;
}

const NEVER = sharedAbort().signal;

/** Retries that do not keep a test waiting. */
export const QUICK = { attempts: 3, baseMs: 1, maxMs: 5 };

/** Makes tables with a name of their own, and an inbox on them. */
export async function inboxStage(url: string, options: Partial<InboxOptions<pg.PoolClient>> = {}): Promise<InboxStage> {
  const pool = new pg.Pool({ connectionString: url, max: 20 });
  const table = options.table ?? uniqueName('inbox');
  await createInboxTables(pool, { table });
  await pool.query(
    'CREATE TABLE IF NOT EXISTS effects (position bigint GENERATED ALWAYS AS IDENTITY, inbox text, id text, key text)',
  );
  return new InboxStage(pool, table, options);
}

/** Makes stages on a database, which end after each test of the suite in which this is called. */
export function inboxStages(database: {
  readonly url: string;
}): (options?: Partial<InboxOptions<pg.PoolClient>>) => Promise<InboxStage> {
  const stages: InboxStage[] = [];
  afterEach(async () => {
    for (const stage of stages.splice(0)) await stage.end();
  });
  return async (options) => {
    const stage = await inboxStage(database.url, options);
    stages.push(stage);
    return stage;
  };
}

export class InboxStage {
  readonly pool: pg.Pool;
  readonly table: string;
  readonly inbox: Inbox<pg.PoolClient>;
  readonly events: InboxEvent[] = [];

  constructor(pool: pg.Pool, table: string, options: Partial<InboxOptions<pg.PoolClient>> = {}) {
    this.pool = pool;
    this.table = table;
    this.inbox = createInbox({
      ...{ pool, table, consumer: 'test', retry: QUICK },
      onEvent: (event) => this.events.push(event),
      ...options,
    });
  }

  /** Writes an effect, as handlers of most tests do. */
  readonly effect = async (
    tx: pg.PoolClient,
    { id, key = null }: { id: string; key?: string | null },
  ): Promise<void> => {
    await tx.query('INSERT INTO effects (inbox, id, key) VALUES ($1, $2, $3)', [this.table, id, key]);
  };

  /** In the order in which they were written. */
  async effects(): Promise<Effect[]> {
    const { rows } = await this.pool.query<Effect>('SELECT id, key FROM effects WHERE inbox = $1 ORDER BY position', [
      this.table,
    ]);
    return rows;
  }

  async ids(): Promise<string[]> {
    const { rows } = await this.pool.query<{ id: string }>(`SELECT id FROM ${this.table} ORDER BY handled_at, id`);
    return rows.map(({ id }) => id);
  }

  process(
    delivery: Delivery,
    handler: (tx: pg.PoolClient, message: InboxMessage) => Promise<unknown> = this.effect,
    options: Partial<ProcessOptions<pg.PoolClient, unknown>> = {},
  ): Promise<Outcome> {
    const slots = bulkhead({ concurrency: 10 });
    return this.inbox.process(delivery, {
      ...{ handler, decode: 'json', slots, stopping: NEVER, aborted: NEVER },
      ...options,
    });
  }

  async end(): Promise<void> {
    await this.pool.end();
  }
}

/** A delivery as a broker might have brought it. */
export function delivered(id: string | null, rest: Partial<Delivery> = {}): Delivery {
  const key = rest.key ?? null;
  return {
    ...{ id, key, orderKey: key, type: 'made', headers: {}, body: Buffer.from('{"n":1}') },
    ...{ source: { broker: 'test' }, position: null },
    ...rest,
  };
}

/** A promise that is resolved from outside. */
export function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

/** Whether a session waits for another one's lock. */
export async function waiting(pool: pg.Pool): Promise<boolean> {
  const { rowCount } = await pool.query(
    `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
  );
  return rowCount !== 0;
}

/** Messages of so many keys, numbered within each. */
export function numbered(count: number, keys: number): { readonly id: string; readonly key: string }[] {
  return Array.from({ length: count }, (_, n) => ({
    id: `${n % keys}/${Math.floor(n / keys)}`,
    key: `key ${n % keys}`,
  }));
}

/** What is wrong with effects: ids that are missing, there twice, or behind a later one of their key. */
export function faultsOf(
  sent: readonly { readonly id: string }[],
  effects: readonly Effect[],
): { missing: string[]; twice: string[]; disordered: string[] } {
  const seen = new Map<string, number>();
  const last = new Map<string, number>();
  const disordered: string[] = [];
  for (const { id } of effects) {
    seen.set(id, (seen.get(id) ?? 0) + 1);
    const [key = '', number] = id.split('/');
    if (Number(number) < (last.get(key) ?? -1)) disordered.push(id);
    last.set(key, Number(number));
  }
  return {
    missing: sent.flatMap(({ id }) => (seen.has(id) ? [] : [id])),
    twice: [...seen].flatMap(([id, times]) => (times > 1 ? [id] : [])),
    disordered,
  };
}

export const NO_FAULTS = { missing: [], twice: [], disordered: [] };
