/** The rows that all cases write: numbered from 1, with ids that tell the number, so that a bit each accounts for them. */
import { createHash } from 'node:crypto';

const ID_PREFIX = '00000000-0000-4000-8000-';

/** `aggregatetype` of rows that another destination is to have. */
export const OTHER_TYPE = 'other';

/** What the rows of a piece of work are like. */
export interface RowShape {
  /** How many different message keys there are. */
  readonly keys: number;
  /** About so many bytes has each payload. */
  readonly payloadBytes: number;
  /** How many different values of `aggregatetype`, and so topics, there are. */
  readonly topics: number;
}

/** Rows as the cases have them that are not about their shape. */
export const USUAL_ROWS: RowShape = { keys: 10_000, payloadBytes: 250, topics: 1 };

/** The id of row `n`. */
export function idOf(n: number): string {
  return ID_PREFIX + n.toString(16).padStart(12, '0');
}

/** The number of the row with this id; NaN for an id that no row of ours has. */
export function numberOf(id: string): number {
  return id.startsWith(ID_PREFIX) ? Number.parseInt(id.slice(ID_PREFIX.length), 16) : Number.NaN;
}

/** The message key of row `n`. */
export function keyOf(n: number, { keys }: RowShape): string {
  return `key-${n % keys}`;
}

/** `aggregatetype` of row `n`: its number among the topics. */
export function typeOf(n: number, { topics }: RowShape): string {
  return `bench-${n % topics}`;
}

/** Makes payloads as Postgres prints those that its writers make. @returns given when the row was inserted */
export function payloads(shape: RowShape): (atMs: number) => string {
  const padding = paddingOf(shape);
  return (atMs) => `{"at": ${atMs}, "pad": "${padding}"}`;
}

/** When the row of a payload was inserted, in milliseconds since 1970. Blanks before the number do not matter. */
export function insertedAt(payload: Buffer): number {
  const begin = payload.indexOf(':') + 1;
  return Number.parseFloat(payload.toString('latin1', begin, begin + NUMBER_LENGTH));
}

/** Of the first number in a payload, at least; it is followed by a comma. */
const NUMBER_LENGTH = 21;

/** What a payload has beside its padding. */
const FRAME_BYTES = 39;

/** Of letters that do not repeat, which no compression makes less of. */
function paddingOf({ payloadBytes }: RowShape): string {
  const length = Math.max(0, payloadBytes - FRAME_BYTES);
  const parts = Array.from({ length: Math.ceil(length / 88) }, (_, part) =>
    createHash('sha512').update(String(part)).digest('base64'),
  );
  return parts.join('').slice(0, length);
}

/** What the parts of a row are in SQL, by the number `n` of the row. */
const PARTS = {
  id: () => 'bench_id(n)',
  type: ({ topics }: RowShape) => `'bench-' || n % ${topics}`,
  key: ({ keys }: RowShape) => `'key-' || n % ${keys}`,
  kind: () => "'written'",
  payload: () => 'bench_payload()',
} as const;

/** A table to write into, and the parts of a row that its columns get. */
export interface WriterTarget {
  readonly table: string;
  readonly columns: Readonly<Record<string, keyof typeof PARTS>>;
}

/** The relay's own, with the columns of which peers know how to read them too. */
export const OUTBOX: WriterTarget = {
  table: 'public.outbox',
  columns: { id: 'id', aggregatetype: 'type', aggregateid: 'key', type: 'kind', payload: 'payload' },
};

/**
 * Server-side writers: they cost the machine a fraction of what clients do, which is left to those who are measured.
 * Every transaction is committed on its own. `bench_pace` keeps to a rate, and never catches up in a burst.
 */
export function writerProcedures(shape: RowShape, { table, columns }: WriterTarget = OUTBOX): string {
  const insert = `INSERT INTO ${table} (${Object.keys(columns).join(', ')})
          SELECT ${Object.values(columns)
            .map((part) => PARTS[part](shape))
            .join(', ')}`;
  return `
  CREATE OR REPLACE FUNCTION bench_id(n int) RETURNS uuid LANGUAGE sql IMMUTABLE AS
    $$ SELECT ('${ID_PREFIX}' || lpad(to_hex(n), 12, '0'))::uuid $$;
  CREATE OR REPLACE FUNCTION bench_payload() RETURNS jsonb LANGUAGE sql VOLATILE AS
    $$ SELECT ('{"at": ' || extract(epoch FROM clock_timestamp()) * 1000 || ', "pad": "${paddingOf(shape)}"}')::jsonb $$;
  CREATE OR REPLACE PROCEDURE bench_write(first int, last int, per_transaction int) LANGUAGE plpgsql AS $$
    DECLARE
      next int := first;
    BEGIN
      WHILE next <= last LOOP
        ${insert}
          FROM generate_series(next, least(next + per_transaction - 1, last)) n;
        COMMIT;
        next := next + per_transaction;
      END LOOP;
    END $$;
  CREATE OR REPLACE PROCEDURE bench_pace(first int, last int, per_second float) LANGUAGE plpgsql AS $$
    DECLARE
      due timestamptz := clock_timestamp();
    BEGIN
      FOR n IN first..last LOOP
        PERFORM pg_sleep(extract(epoch FROM due - clock_timestamp())) WHERE due > clock_timestamp();
        ${insert};
        COMMIT;
        due := greatest(due + make_interval(secs => 1 / per_second), clock_timestamp() - interval '5 ms');
      END LOOP;
    END $$;`;
}
