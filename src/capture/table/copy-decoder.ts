import { POSTGRES_EPOCH_MS } from '../postgres-epoch.ts';
import { RelayError } from '../../core/errors.ts';
import type { ColumnValue, OutboxRow } from '../../core/row.ts';
import { Slab } from '../slab.ts';
import { RepeatedText } from './repeated-text.ts';

/** `PGCOPY\n\xff\r\n\0`: how every binary COPY begins. */
const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');
/** Signature, flags, length of the header extension. */
const HEADER_BYTES = SIGNATURE.length + 4 + 4;
const TRAILER = -1;
const NULL_LENGTH = -1;
const INT8_LENGTH = 8;
/** Columns before those of the row's values: position, id, created_at. */
const LEADING_COLUMNS = 3;
/** Postgres sends each tuple as one message, and makes none larger than what it allocates at once (`MaxAllocSize`). */
const MAX_TUPLE_BYTES = 0x3fff_ffff;
/** Beyond it lie only `infinity` and `-infinity`. */
const MAX_TIMESTAMP_MICROS = 1e18;

/**
 * Decodes `COPY (..) TO STDOUT (FORMAT binary)` of the columns `position bigint, id text, created_at timestamptz` and
 * then the row's values, from chunks that may end anywhere.
 */
export class CopyDecoder {
  readonly #fieldCount: number;
  /** Of each value; null where bytes are wanted. */
  readonly #texts: readonly (RepeatedText | null)[];
  readonly #slab = new Slab();
  #pieces: Buffer[] = [];
  #pending = 0;
  /** Decoding cannot get any further with fewer bytes than these. */
  #needed = HEADER_BYTES;
  #headerRead = false;
  #ended = false;

  /** @param staysBytes of each column that follows the leading three, whether its value is wanted in bytes */
  constructor(staysBytes: readonly boolean[]) {
    this.#fieldCount = LEADING_COLUMNS + staysBytes.length;
    this.#texts = staysBytes.map((bytes) => (bytes ? null : new RepeatedText()));
  }

  /** Whether the trailer has been read: the copy is whole. */
  get ended(): boolean {
    return this.#ended;
  }

  /**
   * Takes the next bytes and appends the rows that they complete to `rows`.
   *
   * @param chunk which is copied: what `pg` hands out is a view into a buffer that it uses again
   * @throws RelayError `internal` when the bytes are not the expected format
   */
  push(chunk: Buffer, rows: OutboxRow[]): void {
    if (this.#pending === 0) {
      const start = this.#slab.append(chunk);
      this.#decode(this.#slab.bytes, start, start + chunk.length, rows);
      return;
    }
    this.#pieces.push(Buffer.from(chunk));
    this.#pending += chunk.length;
    if (this.#pending < this.#needed) return;
    const whole = Buffer.concat(this.#pieces, this.#pending);
    this.#pieces = [];
    this.#pending = 0;
    this.#decode(whole, 0, whole.length, rows);
  }

  /** Decodes what lies between `start` and `stop`; the rows keep views of it. */
  #decode(bytes: Buffer, start: number, stop: number, rows: OutboxRow[]): void {
    let at = start;
    while (at < stop) {
      if (this.#ended) throw malformed('bytes after the trailer');
      const end = this.#headerRead ? endOfTuple(bytes, at, stop, this.#fieldCount) : endOfHeader(bytes, at, stop);
      if (end > stop) {
        this.#needed = end - at;
        break;
      }
      if (!this.#headerRead) this.#headerRead = true;
      else if (isTrailer(bytes, at)) this.#ended = true;
      else rows.push(readRow(bytes, at + 2, this.#texts));
      at = end;
    }
    if (at < stop) {
      this.#pieces.push(bytes.subarray(at, stop));
      this.#pending = stop - at;
    }
  }
}

/** Where the first tuple starts, as far as the bytes tell. */
function endOfHeader(bytes: Buffer, start: number, stop: number): number {
  const end = start + HEADER_BYTES;
  if (end > stop) return end;
  if (!bytes.subarray(start, start + SIGNATURE.length).equals(SIGNATURE)) throw malformed('no signature');
  return end + checkedLength(bytes.readInt32BE(end - 4));
}

/** Where the tuple at `start` ends, as far as the bytes tell; beyond them when they do not hold it as a whole. */
function endOfTuple(bytes: Buffer, start: number, stop: number, fieldCount: number): number {
  let at = start + 2;
  if (at > stop || isTrailer(bytes, start)) return at;
  const fields = bytes.readInt16BE(start);
  if (fields !== fieldCount) throw malformed(`${fields} columns instead of ${fieldCount}`);
  for (let field = 0; field < fields; field++) {
    if (at + 4 > stop) return at + 4;
    const length = bytes.readInt32BE(at);
    at += length === NULL_LENGTH ? 4 : 4 + checkedLength(length);
    if (at - start > MAX_TUPLE_BYTES) throw malformed('a row larger than Postgres makes any');
  }
  return at;
}

/** So that nothing is waited for that never comes, and nothing is read twice. */
function checkedLength(length: number): number {
  if (length < 0 || length > MAX_TUPLE_BYTES) throw malformed(`a length of ${length} bytes`);
  return length;
}

function isTrailer(bytes: Buffer, at: number): boolean {
  return bytes.readInt16BE(at) === TRAILER;
}

function readRow(bytes: Buffer, start: number, texts: readonly (RepeatedText | null)[]): OutboxRow {
  if (!holdsInt8(bytes, start)) {
    throw new RelayError('postgres_schema', 'the outbox table holds a row whose position is null');
  }
  const position = readPosition(bytes, start + 4);
  const idLength = bytes.readInt32BE(start + 12);
  if (idLength === NULL_LENGTH) {
    throw new RelayError('postgres_schema', `the row at position ${position} has no id: the column holds null`);
  }
  let at = start + 16 + idLength;
  const id = bytes.toString('utf8', start + 16, at);
  const hasTime = holdsInt8(bytes, at);
  const since = hasTime ? readTimestamp(bytes, at + 4) : Number.NaN;
  at += hasTime ? 12 : 4;
  const values = new Array<ColumnValue>(texts.length);
  for (let index = 0; index < values.length; index++) {
    const length = bytes.readInt32BE(at);
    at += 4;
    if (length === NULL_LENGTH) {
      values[index] = null;
    } else {
      const end = at + length;
      values[index] = texts[index]?.read(bytes, at, end) ?? bytes.subarray(at, end);
      at = end;
    }
  }
  return { position, id, values, lane: 'table', xid: null, since };
}

/** Whether the field at `at` holds eight bytes; false: it holds null. */
function holdsInt8(bytes: Buffer, at: number): boolean {
  const length = bytes.readInt32BE(at);
  if (length !== INT8_LENGTH && length !== NULL_LENGTH) throw malformed(`${length} bytes instead of ${INT8_LENGTH}`);
  return length === INT8_LENGTH;
}

/** By way of a double where that is exact, which makes one bigint; `readBigInt64BE` makes four. */
function readPosition(bytes: Buffer, at: number): bigint {
  const position = bytes.readInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
  return Number.isSafeInteger(position) ? BigInt(position) : bytes.readBigInt64BE(at);
}

/** Milliseconds since 1970; NaN for the infinities. In doubles, which hold every microsecond of the next 250 years. */
function readTimestamp(bytes: Buffer, at: number): number {
  const micros = bytes.readInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
  return Math.abs(micros) > MAX_TIMESTAMP_MICROS ? Number.NaN : micros / 1000 + POSTGRES_EPOCH_MS;
}

function malformed(what: string): RelayError {
  return new RelayError('internal', `the table's COPY is not what was asked for: ${what}`);
}
