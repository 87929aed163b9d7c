import { setTimeout as sleep } from 'node:timers/promises';
import { RelayError } from '../core/errors.ts';
import { constantText } from '../core/template.ts';
import { Comparison, type ObservedMessage } from './comparison.ts';
import { compareWithRecord, type DestinationTask, positionOf, type Reading, unexpectedFrom } from './destination.ts';
import type { ObservedExchange, QueueRecord, RabbitQueues } from './rabbit-queue.ts';
import type { RecordEntry } from './record.ts';
import type { DestinationReport } from './report.ts';

/** A row may be in the log, and published, a moment before it is visible. */
const SETTLE_MS = 1_000;
const WATCH_STEP_MS = 250;

/**
 * Watches what is published from now on, for so many milliseconds. Judged is what was inserted after the watching began,
 * and published before it ended.
 */
export async function watchExchanges(
  task: DestinationTask,
  queues: RabbitQueues,
  forMs: number,
): Promise<DestinationReport> {
  const { record, recordBegin } = task;
  const exchanges = await exchangesOf(task);
  const comparison = new Comparison(task.examples);
  const bound = new Bound(exchanges);
  const recorded = recordBegin !== null;
  let foreign = 0;
  const since = await record.clock();
  const whenDrained = await queues.observe(exchanges, (message) => {
    bound.seen(message);
    if (!observe(comparison, message, { inWindow: true, accountable: recorded })) foreign++;
  });
  await sleep(SETTLE_MS);
  const before = await record.highestPosition(recorded);
  await watching(task, forMs);
  const until = await record.clock();
  await whenDrained();
  const window = { since, until };
  const reading: Reading = {
    comparison,
    foreign,
    read: exchanges.map(({ exchange }) => `exchange ${exchange}`),
    notJudged: [
      `Rows up to position ${before} were there before the watching began, and are judged for duplicates only.`,
      ...(exchanges.some(({ exchange }) => exchange === '') ? [DEFAULT_EXCHANGE] : []),
      'Messages with a routing key that was not known when the watching began are not missed, unless the exchange is seen to take all keys.',
    ],
  };
  return compareWithRecord({ ...task, window }, reading, {
    from: since,
    judged: (entry) => entry.position > before && entry.publishedAt <= until && bound.takes(entry),
    retained: () => true,
  });
}

/** Lets so many milliseconds pass, and tells how many have. */
async function watching({ destination, report }: DestinationTask, forMs: number): Promise<void> {
  const begin = performance.now();
  for (let passed = 0; passed < forMs; passed = performance.now() - begin) {
    report({ what: `watching ${destination}`, done: passed / 1000, total: forMs / 1000, unit: 'seconds' });
    await sleep(Math.min(WATCH_STEP_MS, forMs - passed));
  }
}

/** Compares the record with a queue of type stream. `patterns`: which routing keys are bound to it, as for a topic exchange. */
export async function verifyStream(
  task: DestinationTask,
  queues: RabbitQueues,
  queue: string,
  patterns: readonly string[],
): Promise<DestinationReport> {
  const { window, marginMs } = task;
  const from = window.since - marginMs;
  const comparison = new Comparison(task.examples);
  const earliest = unexpectedFrom(task);
  let foreign = 0;
  let read = 0;
  const { truncatedUntil } = await queues.readStream(queue, from, (message) => {
    task.report({ what: `reading ${queue}`, done: ++read, total: null, unit: 'messages' });
    const at = message.writtenAt;
    // the time is the row's, so that of a copy tells nothing about when that was sent
    const times = { inWindow: true, accountable: at !== null && at >= earliest && at <= window.until };
    if (!observe(comparison, message, times)) foreign++;
  });
  const truncated = truncatedUntil === null ? null : Math.min(truncatedUntil, window.until);
  const notJudged =
    truncated === null
      ? []
      : [
          `${queue} has lost messages of the window to its retention: up to ${new Date(truncated).toISOString()} what is absent is not told as missing.`,
        ];
  return compareWithRecord(
    task,
    { comparison, foreign, read: [`stream ${queue}`], notJudged },
    {
      from,
      judged: ({ publishedAt, routingKey }) =>
        publishedAt >= window.since && publishedAt <= window.until && isBound(patterns, routingKey ?? ''),
      retained: ({ publishedAt }) => truncated === null || publishedAt - marginMs >= truncated,
    },
  );
}

/** Whether a routing key fits one of the patterns of a topic exchange; without any, all fit. */
export function isBound(patterns: readonly string[], routingKey: string): boolean {
  return patterns.length === 0 || patterns.some((pattern) => matches(pattern.split('.'), routingKey.split('.')));
}

function matches([word, ...words]: readonly string[], key: readonly string[]): boolean {
  if (word === undefined) return key.length === 0;
  if (word === '#') return matches(words, key) || (key.length > 0 && matches([word, ...words], key.slice(1)));
  return key.length > 0 && (word === '*' || word === key[0]) && matches(words, key.slice(1));
}

const DEFAULT_EXCHANGE =
  'What goes through the default exchange cannot be watched: read its queue with --queue, if it is a stream.';

/** Returns false for a message without an id. */
function observe(
  comparison: Comparison,
  message: QueueRecord,
  times: Pick<ObservedMessage, 'inWindow' | 'accountable'>,
): boolean {
  const { id, exchange, routingKey, place } = message;
  if (id === null || id === '') return false;
  const position = positionOf(message);
  const where = (): string => `message ${place} (${exchange === '' ? 'default exchange' : exchange} ${routingKey})`;
  comparison.observe({ id, lane: 0, key: null, position, where, ...times });
  return true;
}

/** Which messages come to the queue that was bound. */
class Bound {
  readonly #keys: ReadonlyMap<string, ReadonlySet<string>>;
  /** Exchanges that have brought a key which was not bound by itself: `#` works there. */
  readonly #all = new Set<string>();

  constructor(exchanges: readonly ObservedExchange[]) {
    this.#keys = new Map(exchanges.map(({ exchange, routingKeys }) => [exchange, new Set(routingKeys)]));
  }

  seen({ exchange, routingKey }: QueueRecord): void {
    if (this.#keys.get(exchange)?.has(routingKey) === false) this.#all.add(exchange);
  }

  takes({ address, routingKey }: RecordEntry): boolean {
    return this.#all.has(address) || (this.#keys.get(address)?.has(routingKey ?? '') ?? false);
  }
}

/** Exchanges and routing keys of the routes, as far as they are fixed, and of the record. */
async function exchangesOf({ destination, record, recordBegin, templates }: DestinationTask) {
  const keys = new Map<string, Set<string>>();
  const add = (exchange: string, routingKey: string | null): void => {
    const known = keys.get(exchange) ?? new Set();
    if (routingKey !== null) known.add(routingKey);
    keys.set(exchange, known);
  };
  for (const address of templates) {
    if (address.kind !== 'exchange') continue;
    const exchange = constantText(address.exchange);
    if (exchange !== null) add(exchange, constantText(address.routingKey));
  }
  for (const { address, routingKey } of recordBegin === null ? [] : await record.addresses(destination, 0)) {
    add(address, routingKey);
  }
  const exchanges = [...keys].map(([exchange, routingKeys]) => ({ exchange, routingKeys: [...routingKeys] }));
  const named = exchanges.filter(({ exchange }) => exchange !== '');
  if (named.length > 0) return named;
  throw new RelayError(
    'verify_refused',
    `destination ${destination} has no exchange that is known and can be watched`,
    {
      remedy:
        'Bind a queue of type stream and name it with --queue, or set published.retain, which tells the exchanges.',
    },
  );
}
