import type { InboxClient } from './client.ts';
import { type InboxSettings, wholeNumber } from './options.ts';
import type { InboxStatements } from './statements.ts';
import { inTransaction } from './transaction.ts';

/** Which ids are deleted, and how many at a time. */
export interface CleanupOptions {
  /** Ids are kept so long, in ms: longer than any duplicate can come after the message (docs/inbox.md). */
  readonly olderThanMs: number;
  /** Rows a statement; each is a transaction of its own. @default 1000 */
  readonly batch?: number;
  /** Ends after so many statements, though there may be more to delete. @default none */
  readonly maxBatches?: number;
  /** Ends it between two statements. */
  readonly signal?: AbortSignal;
}

/** Deletes old ids of one consumer; several processes may do so at a time. @returns how many */
export async function cleanUp<Client extends InboxClient>(
  settings: InboxSettings<Client>,
  statements: InboxStatements,
  { olderThanMs, batch = 1000, maxBatches = Infinity, signal }: CleanupOptions,
): Promise<number> {
  wholeNumber('olderThanMs', olderThanMs, 0);
  wholeNumber('batch', batch, 1);
  let deleted = 0;
  for (let batches = 0; batches < maxBatches && signal?.aborted !== true; batches++) {
    const count = await inTransaction(settings, { lost: null }, (client) =>
      statements.deleteIds(client, olderThanMs, batch),
    );
    deleted += count;
    if (count < batch) break;
  }
  return deleted;
}
