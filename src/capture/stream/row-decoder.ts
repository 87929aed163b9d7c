/** From the tuples of the log to outbox rows, by the shape that the log last told of the table. */
import { RelayError } from '../../core/errors.ts';
import type { ColumnValue, OutboxRow } from '../../core/row.ts';
import { type OutboxTable, staysBytes, type TableColumn } from '../../core/table.ts';
import { Slab } from '../slab.ts';
import {
  type BeginMessage,
  type InsertMessage,
  protocolError,
  type RelationMessage,
  tupleBounds,
} from './pgoutput-decoder.ts';

/** A decoded row and what it takes in memory. */
export interface DecodedRow {
  readonly row: OutboxRow;
  /** In bytes. */
  readonly bytes: number;
}

/** Which field of the table's tuples holds what. */
interface RowPlan {
  readonly fields: number;
  readonly position: number;
  readonly id: number;
  readonly reads: readonly ReadField[];
}

interface ReadField {
  readonly field: number;
  readonly form: 'text' | 'bytes' | 'bytea';
}

const BYTEA_OID = 17;
/** The row object, its position and its id. */
const ROW_OVERHEAD_BYTES = 256;
/** A string's, or a buffer's, own. */
const VALUE_OVERHEAD_BYTES = 96;
/** Digits that a double holds exactly. */
const EXACT_DIGITS = 15;
const DIGIT_ZERO = 0x30;

/**
 * Turns Insert messages into rows of the configured table, and leaves those of other tables out: a publication may
 * cover more, and one that publishes through a partition root also describes the partitions.
 *
 * Columns are found by name each time the log describes the table, so columns may be added, dropped and reordered while
 * the relay runs, as long as those that it reads remain.
 */
export class RowDecoder {
  readonly #table: OutboxTable;
  /** By relation id; null for tables that are not ours. */
  readonly #plans = new Map<number, RowPlan | null>();
  readonly #slab = new Slab();

  constructor(table: OutboxTable) {
    this.#table = table;
  }

  /**
   * Takes the shape of a table, and returns whether it is the outbox table.
   *
   * @throws RelayError `replication_unavailable` when it is the outbox table and lacks a column that is read, or has it in
   *   another type than the relay has found in the catalog
   */
  relation(message: RelationMessage): boolean {
    const ours = message.schema === this.#table.schema && message.name === this.#table.name;
    this.#plans.set(message.relationId, ours ? planOf(this.#table, message) : null);
    return ours;
  }

  /**
   * Decodes an inserted row; null when it is not of the outbox table.
   *
   * @param chunk the bytes that `insert` was decoded from; what the row keeps of them is copied
   * @throws RelayError `replication_protocol` when the tuple does not fit the shape
   */
  row(chunk: Buffer, insert: InsertMessage, { xid, committedAt }: BeginMessage): DecodedRow | null {
    const plan = this.#plans.get(insert.relationId);
    if (plan === null) return null;
    if (plan === undefined) throw protocolError(`a row of relation ${insert.relationId}, which was not described`);
    const bounds = tupleBounds(chunk, insert.tupleAt);
    if (bounds.length !== plan.fields * 2) throw protocolError('a tuple with another number of fields than its table');
    const row: OutboxRow = {
      position: readPosition(chunk, bounds, plan.position),
      id: readId(chunk, bounds, plan.id),
      values: this.#values(chunk, bounds, plan.reads),
      lane: 'stream',
      xid,
      since: committedAt,
    };
    return {
      row,
      bytes: chunk.length - insert.tupleAt + ROW_OVERHEAD_BYTES + plan.reads.length * VALUE_OVERHEAD_BYTES,
    };
  }

  #values(chunk: Buffer, bounds: readonly number[], reads: readonly ReadField[]): ColumnValue[] {
    const values = new Array<ColumnValue>(reads.length);
    for (const [at, { field, form }] of reads.entries()) {
      const start = bounds[field * 2] ?? -1;
      const end = bounds[field * 2 + 1] ?? -1;
      if (start < 0) values[at] = null;
      else if (form === 'text') values[at] = chunk.toString('utf8', start, end);
      else if (form === 'bytea') values[at] = decodeBytea(chunk, start, end);
      else {
        const kept = this.#slab.append(chunk);
        values[at] = this.#slab.bytes.subarray(kept + start, kept + end);
      }
    }
    return values;
  }
}

function planOf(table: OutboxTable, { columns }: RelationMessage): RowPlan {
  const fieldOf = (column: TableColumn): number => {
    const field = columns.findIndex(({ name }) => name === column.name);
    if (field < 0) throw shapeError(table, `column ${column.name} is not in the log: dropped, renamed or generated`);
    return field;
  };
  const bytes = staysBytes(table);
  const reads = table.reads.map((column, at): ReadField => {
    const field = fieldOf(column);
    const isBytea = column.type === 'bytea';
    if (isBytea !== (columns[field]?.typeOid === BYTEA_OID)) {
      throw shapeError(table, `column ${column.name} is no longer of type ${column.type}`);
    }
    return { field, form: isBytea ? 'bytea' : bytes[at] === true ? 'bytes' : 'text' };
  });
  return { fields: columns.length, position: fieldOf(table.position), id: fieldOf(table.id), reads };
}

function shapeError(table: OutboxTable, what: string): RelayError {
  return new RelayError('replication_unavailable', `${table.schema}.${table.name}: ${what}`, {
    remedy: 'Restart the relay, which then examines the table again; `outbox-relay check` tells what it lacks.',
  });
}

function readId(bytes: Buffer, bounds: readonly number[], field: number): string {
  const start = bounds[field * 2] ?? -1;
  if (start < 0) throw protocolError('a row without an id');
  return bytes.toString('utf8', start, bounds[field * 2 + 1]);
}

/** Parses digits without a detour over text where a double can count them. */
function readPosition(bytes: Buffer, bounds: readonly number[], field: number): bigint {
  const start = bounds[field * 2] ?? -1;
  const end = bounds[field * 2 + 1] ?? -1;
  if (start < 0) throw protocolError('a row without a position');
  if (start === end || end - start > EXACT_DIGITS) return parsePosition(bytes.toString('latin1', start, end));
  let position = 0;
  for (let at = start; at < end; at++) {
    const digit = (bytes[at] ?? 0) - DIGIT_ZERO;
    if (digit < 0 || digit > 9) return parsePosition(bytes.toString('latin1', start, end));
    position = position * 10 + digit;
  }
  return BigInt(position);
}

function parsePosition(text: string): bigint {
  if (!/^-?\d+$/.test(text)) throw protocolError('a position that is not a whole number');
  return BigInt(text);
}

/** The bytes of a `bytea` as Postgres prints it with `bytea_output = hex`. */
function decodeBytea(text: Buffer, start: number, end: number): Buffer {
  if (text[start] !== 0x5c || text[start + 1] !== 0x78) throw protocolError('a bytea value that is not printed in hex');
  const bytes = Buffer.from(text.toString('latin1', start + 2, end), 'hex');
  // Buffer.from stops silently at the first pair that is not hex.
  if (bytes.length * 2 !== end - start - 2) throw protocolError('a bytea value that is not hex');
  return bytes;
}
