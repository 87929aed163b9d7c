import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import type pg from 'pg';

/** What `pg` has for a conversation in both directions, and its types leave out. */
export interface WalsenderConnection extends EventEmitter {
  readonly stream: Socket;
  /** Sends one CopyData message. */
  sendCopyFromChunk(chunk: Buffer): void;
  /** Sends CopyDone. */
  endCopyFrom(): void;
  /** `chunk` is a view into a buffer that is used again after the event. */
  on(event: 'copyData', listener: (message: { readonly chunk: Buffer }) => void): this;
  /** CopyBothResponse: the conversation has begun. */
  once(event: 'replicationStart', listener: () => void): this;
}

/** The connection under a client. */
export function walsenderConnection(client: pg.Client): WalsenderConnection {
  return (client as unknown as { readonly connection: WalsenderConnection }).connection;
}
