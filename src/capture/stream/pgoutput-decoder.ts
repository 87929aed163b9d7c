/**
 * The messages of logical decoding plugin `pgoutput`, protocol version 1, without streaming, two-phase and binary.
 *
 * Source: PostgreSQL manual, 54.9 "Logical Replication Message Formats". A message is read where it lies: nothing is
 * copied, and of a tuple only the bounds of its fields are told, so that a field which nobody wants costs nothing.
 */
import { POSTGRES_EPOCH_MS } from '../postgres-epoch.ts';
import { RelayError } from '../../core/errors.ts';
import type { Lsn } from '../../core/lsn.ts';

/** A transaction begins; all that follows up to the commit is part of it. */
export interface BeginMessage {
  readonly kind: 'begin';
  /** Start of the commit record (`final_lsn`). */
  readonly commitLsn: Lsn;
  /** In milliseconds since 1970, with the microseconds as fraction. */
  readonly committedAt: number;
  /** Top-level transaction id, 32 bits, unsigned. */
  readonly xid: number;
}

/** The open transaction is complete. */
export interface CommitMessage {
  readonly kind: 'commit';
  /** Start of the commit record, as in Begin. */
  readonly commitLsn: Lsn;
  /** The first position after the commit record. */
  readonly endLsn: Lsn;
}

/** A column as a Relation message describes it. */
export interface RelationColumn {
  readonly name: string;
  /** OID of its type. */
  readonly typeOid: number;
}

/** Shape of a table; precedes its first row in a session, and the first one after each change of the shape. */
export interface RelationMessage {
  readonly kind: 'relation';
  /** OID of the table. */
  readonly relationId: number;
  readonly schema: string;
  readonly name: string;
  /** Those columns that are published, in the order of the tuples' fields. */
  readonly columns: readonly RelationColumn[];
}

/** A row was inserted. */
export interface InsertMessage {
  readonly kind: 'insert';
  readonly relationId: number;
  /** Where the tuple begins in the chunk that was decoded: for {@link tupleBounds}. */
  readonly tupleAt: number;
}

/** Known and of no interest: Origin, Type, Update, Delete, Truncate, Message. */
export interface IgnoredMessage {
  readonly kind: 'ignored';
}

export type PgoutputMessage = BeginMessage | CommitMessage | RelationMessage | InsertMessage | IgnoredMessage;

const BEGIN = 0x42;
const COMMIT = 0x43;
const DELETE = 0x44;
const INSERT = 0x49;
const MESSAGE = 0x4d;
const ORIGIN = 0x4f;
const RELATION = 0x52;
const TRUNCATE = 0x54;
const UPDATE = 0x55;
const TYPE = 0x59;

const NEW_TUPLE = 0x4e;
const FIELD_NULL = 0x6e;
const FIELD_TEXT = 0x74;

const BEGIN_BYTES = 21;
const COMMIT_BYTES = 26;
const IGNORED: IgnoredMessage = { kind: 'ignored' };

/**
 * Decodes one message.
 *
 * @param chunk holds the message from `start` to its end
 * @throws RelayError `replication_protocol` when the bytes are not such a message
 */
export function decodePgoutput(chunk: Buffer, start = 0): PgoutputMessage {
  try {
    return decode(chunk, start);
  } catch (error) {
    throw asProtocolError(error);
  }
}

/**
 * Where the fields of a tuple lie: start and end of each in turn; start -1 for SQL null.
 *
 * @param chunk holds the tuple from `start` to its end
 * @throws RelayError `replication_protocol` when the bytes are not a tuple of text values and nulls
 */
export function tupleBounds(chunk: Buffer, start: number): readonly number[] {
  try {
    return readTuple(chunk, start);
  } catch (error) {
    throw asProtocolError(error);
  }
}

/** An error for what the log must not carry. */
export function protocolError(what: string, cause?: unknown): RelayError {
  return new RelayError('replication_protocol', what, { cause });
}

function decode(chunk: Buffer, start: number): PgoutputMessage {
  switch (chunk[start]) {
    case INSERT:
      return readInsert(chunk, start);
    case BEGIN:
      return readBegin(chunk, start);
    case COMMIT:
      return readCommit(chunk, start);
    case RELATION:
      return readRelation(chunk, start);
    case ORIGIN:
    case TYPE:
    case UPDATE:
    case DELETE:
    case TRUNCATE:
    case MESSAGE:
      return IGNORED;
    default:
      throw protocolError(`unknown pgoutput message ${String(chunk[start])}`);
  }
}

function readBegin(chunk: Buffer, start: number): BeginMessage {
  if (chunk.length - start !== BEGIN_BYTES) throw protocolError('a Begin message of the wrong length');
  const commitLsn = chunk.readBigUInt64BE(start + 1);
  // In doubles, which hold every microsecond of the next 250 years.
  const micros = chunk.readInt32BE(start + 9) * 2 ** 32 + chunk.readUInt32BE(start + 13);
  const xid = chunk.readUInt32BE(start + 17);
  return { kind: 'begin', commitLsn, committedAt: micros / 1000 + POSTGRES_EPOCH_MS, xid };
}

function readCommit(chunk: Buffer, start: number): CommitMessage {
  if (chunk.length - start !== COMMIT_BYTES) throw protocolError('a Commit message of the wrong length');
  return {
    kind: 'commit',
    commitLsn: chunk.readBigUInt64BE(start + 2),
    endLsn: chunk.readBigUInt64BE(start + 10),
  };
}

function readInsert(chunk: Buffer, start: number): InsertMessage {
  const relationId = chunk.readUInt32BE(start + 1);
  if (chunk[start + 5] !== NEW_TUPLE) throw protocolError('an Insert message without a new tuple');
  return { kind: 'insert', relationId, tupleAt: start + 6 };
}

function readRelation(chunk: Buffer, start: number): RelationMessage {
  const relationId = chunk.readUInt32BE(start + 1);
  const schemaEnd = endOfString(chunk, start + 5);
  const nameEnd = endOfString(chunk, schemaEnd + 1);
  // One byte of replica identity lies between the name and the number of columns.
  let at = nameEnd + 4;
  const columns = new Array<RelationColumn>(chunk.readUInt16BE(nameEnd + 2));
  for (let index = 0; index < columns.length; index++) {
    const columnEnd = endOfString(chunk, at + 1);
    columns[index] = { name: chunk.toString('utf8', at + 1, columnEnd), typeOid: chunk.readUInt32BE(columnEnd + 1) };
    at = columnEnd + 9;
  }
  if (at !== chunk.length) throw protocolError('a Relation message of the wrong length');
  return {
    kind: 'relation',
    relationId,
    schema: chunk.toString('utf8', start + 5, schemaEnd),
    name: chunk.toString('utf8', schemaEnd + 1, nameEnd),
    columns,
  };
}

function readTuple(chunk: Buffer, start: number): number[] {
  const fields = chunk.readUInt16BE(start);
  const bounds = new Array<number>(fields * 2);
  let at = start + 2;
  for (let index = 0; index < bounds.length; index += 2) {
    const kind = chunk[at];
    if (kind === FIELD_TEXT) {
      const valueAt = at + 5;
      at = valueAt + chunk.readUInt32BE(at + 1);
      bounds[index] = valueAt;
      bounds[index + 1] = at;
    } else if (kind === FIELD_NULL) {
      at += 1;
      bounds[index] = -1;
      bounds[index + 1] = -1;
    } else {
      // Among them 'u', an unchanged TOAST value, which an inserted row cannot have, and 'b', which was not asked for.
      throw protocolError(`a field of kind ${String(kind)} in an inserted row`);
    }
  }
  if (at !== chunk.length) throw protocolError('a tuple of the wrong length');
  return bounds;
}

function endOfString(chunk: Buffer, start: number): number {
  const end = chunk.indexOf(0, start);
  if (end < 0 || start > chunk.length) throw protocolError('a string without an end');
  return end;
}

function asProtocolError(error: unknown): unknown {
  return error instanceof RangeError ? protocolError('a pgoutput message that ends too early', error) : error;
}
