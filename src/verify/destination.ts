import type { ReportProgress } from '../core/progress.ts';
import { DEAD_LETTER_HEADERS } from '../route/dead-letter.ts';
import type { AddressTemplate } from '../route/spec.ts';
import type { Comparison } from './comparison.ts';
import type { PublishedRecord, RecordEntry } from './record.ts';
import type { DestinationReport } from './report.ts';

/** From when to when, in milliseconds since 1970 by the database's clock. */
export interface Window {
  readonly since: number;
  readonly until: number;
}

/** What the verification of a destination needs, whatever its broker. */
export interface DestinationTask {
  readonly destination: string;
  readonly record: PublishedRecord;
  /** Where its routes and dead letters lead. */
  readonly templates: readonly AddressTemplate[];
  readonly window: Window;
  /** When the record begins; null: there is none. */
  readonly recordBegin: number | null;
  /** How long before its deletion a row may have been published, in milliseconds. */
  readonly marginMs: number;
  /** How many ids of each kind are told. */
  readonly examples: number;
  readonly report: ReportProgress;
}

/** What a broker's reader has found out, apart from the messages. */
export interface Reading {
  readonly comparison: Comparison;
  readonly read: readonly string[];
  readonly foreign: number;
  readonly notJudged: readonly string[];
}

/** How entries of the record are judged. */
export interface Judging {
  /** Entries from this time on are read. */
  readonly from: number;
  readonly judged: (entry: RecordEntry) => boolean;
  readonly retained: (entry: RecordEntry) => boolean;
}

/** From when on a message must be in the record, or its row in the table. */
export function unexpectedFrom({ window, recordBegin, marginMs }: DestinationTask): number {
  return recordBegin === null ? Infinity : Math.max(window.since, recordBegin + marginMs);
}

/** What a message says of its order by itself: a route's header `x-outbox-position: ${position}`. Dead letters have it, and no order. */
export function positionOf(message: { header(name: string): string | null }): bigint | null {
  const text = message.header(DEAD_LETTER_HEADERS.position);
  if (text === null || !/^-?\d{1,18}$/.test(text) || message.header(DEAD_LETTER_HEADERS.code) !== null) return null;
  return BigInt(text);
}

/** Topic, or exchange and routing key, for people. */
export function addressText({ address, routingKey }: Pick<RecordEntry, 'address' | 'routingKey'>): string {
  return routingKey === null ? address : `${address === '' ? '(default exchange)' : address} ${routingKey}`;
}

/** Goes through the record and, where that leaves messages unexplained, through the table; both in one snapshot. */
export async function compareWithRecord(
  task: DestinationTask,
  { comparison, ...reading }: Reading,
  { from, judged, retained }: Judging,
): Promise<DestinationReport> {
  const { destination, record, window, recordBegin, report } = task;
  if (recordBegin !== null) {
    let entries = 0;
    await record.inOneSnapshot(async () => {
      await record.eachEntry(destination, from, (entry) => {
        report({ what: `comparing with the record of ${destination}`, done: ++entries, total: null, unit: 'ids' });
        const { position, id, key, deadLetter, publishedAt } = entry;
        const verdict = { judged: judged(entry), retained: retained(entry) };
        comparison.published({ position, id, key, deadLetter, publishedAt, address: addressText(entry), ...verdict });
      });
      if (comparison.hasUnknown) await record.eachRow((id) => comparison.inTable(id));
    });
  }
  return {
    destination,
    ...reading,
    window: { since: new Date(window.since).toISOString(), until: new Date(window.until).toISOString() },
    ...comparison.result(recordBegin !== null),
    parkedRows: await record.parkedRows(destination),
    notJudged: [...recordNotes(task), ...reading.notJudged],
  };
}

function recordNotes({ recordBegin, window }: DestinationTask): string[] {
  if (recordBegin === null)
    return [
      'There is no record of published ids, or nothing in it (published.retain), so nothing can be said of missing and unexpected ids, and of order only by messages with a header x-outbox-position.',
    ];
  if (recordBegin <= window.since) return [];
  return [
    `The record of published ids begins at ${new Date(recordBegin).toISOString()}: nothing before that is judged.`,
  ];
}
