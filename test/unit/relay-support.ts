import type { OutgoingMessage } from '../../src/core/message.ts';
import type { OutboxRow, RowRef } from '../../src/core/row.ts';
import type { SettlingOwner } from '../../src/relay/settling.ts';

/** An outbox row with nothing in it. */
export function row(position: bigint, id = `id-${position}`): OutboxRow {
  return { position, id, values: [], lane: 'stream', xid: 1, since: 0 };
}

/** Its message. */
export function message(
  position: bigint,
  options: { id?: string; key?: string | null; bytes?: number } = {},
): OutgoingMessage {
  return {
    row: row(position, options.id),
    address: { kind: 'topic', topic: 't' },
    key: options.key ?? null,
    body: null,
    type: null,
    contentType: 'text/plain',
    headers: [],
    route: 0,
    bytes: options.bytes ?? 1,
  };
}

/** What identifies a row, without the rest. */
export function ref({ position, id }: RowRef): RowRef {
  return { position, id };
}

/** Whose rows nobody deletes. */
export const NOBODY: SettlingOwner = {
  settled: () => undefined,
  deferred: () => undefined,
  deletionBlocked: () => undefined,
};
