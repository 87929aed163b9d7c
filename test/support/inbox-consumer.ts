/**
 * A process that consumes into an inbox, to be killed by tests: `tsx inbox-consumer.ts JSON`. Its handler writes an effect, and
 * fails now and then. SIGTERM stops it in order.
 */
import pg from 'pg';
import { setTimeout as delay } from 'node:timers/promises';
import { feed, type FeedOptions } from './inbox-feeds.ts';
import { InboxStage } from './inbox-stage.ts';

/** What such a process is told. */
export interface ConsumerOptions {
  readonly database: string;
  readonly table: string;
  readonly feed: FeedOptions;
}

const { database, table, feed: options } = JSON.parse(process.argv[2] ?? '{}') as ConsumerOptions;

const pool = new pg.Pool({ connectionString: database, max: 8 });
const stage = new InboxStage(pool, table, { retry: { attempts: 20, baseMs: 5, maxMs: 50 } });
const fed = await feed(stage.inbox, options, {
  concurrency: 6,
  handler: async (tx, message) => {
    await stage.effect(tx, message);
    await delay(Math.random() * 8);
    // Behind its effect, which has to go away again.
    if (Math.random() < 0.05) throw new Error('now and then');
  },
});
process.once('SIGTERM', () => {
  void fed
    .stop()
    .then(() => pool.end())
    .then(() => process.exit(0));
});
