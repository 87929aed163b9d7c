/**
 * What the two sides of a walsender conversation say inside CopyData, beside the log itself.
 *
 * Source: PostgreSQL manual, 54.4 "Streaming Replication Protocol".
 */
import type { Lsn } from '../../core/lsn.ts';
import { POSTGRES_EPOCH_MS } from '../postgres-epoch.ts';
import { protocolError } from './pgoutput-decoder.ts';

/** First byte of a CopyData message that carries a piece of log. */
export const XLOG_DATA = 0x77;
/** First byte of a CopyData message that is a keepalive. */
export const KEEPALIVE = 0x6b;
/** Where the message of the output plugin begins in an XLogData. */
export const XLOG_DATA_HEADER_BYTES = 25;

const KEEPALIVE_BYTES = 18;
const STANDBY_STATUS = 0x72;
const STANDBY_STATUS_BYTES = 34;

/** The server is alive, and this far. */
export interface Keepalive {
  /** The end of the log that it has read and, where there was something to send, sent. */
  readonly walEnd: Lsn;
  /** It wants a status at once, else it may give the connection up. */
  readonly replyRequested: boolean;
}

/** @throws RelayError `replication_protocol` when the length is wrong */
export function decodeKeepalive(chunk: Buffer): Keepalive {
  if (chunk.length !== KEEPALIVE_BYTES) throw protocolError('a keepalive of the wrong length');
  return { walEnd: chunk.readBigUInt64BE(1), replyRequested: chunk[17] === 1 };
}

/**
 * A standby status update that reports `received` as written, flushed and applied.
 *
 * @param now the relay's clock, in milliseconds since 1970
 * @param replyRequested asks the server for a keepalive
 */
export function encodeStandbyStatus(received: Lsn, now: number, replyRequested: boolean): Buffer {
  const status = Buffer.allocUnsafe(STANDBY_STATUS_BYTES);
  status[0] = STANDBY_STATUS;
  status.writeBigUInt64BE(received, 1);
  status.writeBigUInt64BE(received, 9);
  status.writeBigUInt64BE(received, 17);
  status.writeBigInt64BE(BigInt(Math.trunc(now) - POSTGRES_EPOCH_MS) * 1000n, 25);
  status[33] = replyRequested ? 1 : 0;
  return status;
}
