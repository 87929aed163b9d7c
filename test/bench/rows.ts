/** The rows that all cases write: numbered from 1, with ids that tell the number, so that a bit each accounts for them. */

const ID_PREFIX = '00000000-0000-4000-8000-';

/** `aggregatetype` of rows that another destination is to have. */
export const OTHER_TYPE = 'other';

/** How many different message keys there are, unless the work says otherwise. */
export const KEYS = 10_000;

/** So that a payload has about 250 bytes. */
export const PADDING = 'x'.repeat(200);

/** The id of row `n`. */
export function idOf(n: number): string {
  return ID_PREFIX + n.toString(16).padStart(12, '0');
}

/** The number of the row with this id; NaN for an id that no row of ours has. */
export function numberOf(id: string): number {
  return id.startsWith(ID_PREFIX) ? Number.parseInt(id.slice(ID_PREFIX.length), 16) : Number.NaN;
}

/** The message key of row `n`. */
export function keyOf(n: number): string {
  return `key-${n % KEYS}`;
}

/** A payload as Postgres prints those that its writers make. @param atMs when the row was inserted */
export function payloadOf(atMs: number): string {
  return `{"at": ${atMs}, "pad": "${PADDING}"}`;
}

/** When the row of a payload was inserted, in milliseconds since 1970. */
export function insertedAt(payload: Buffer): number {
  return Number((JSON.parse(payload.toString()) as { readonly at: unknown }).at);
}

/**
 * Server-side writers: they cost the machine a fraction of what clients do, which is left to those who are measured.
 * Every transaction is committed on its own. `bench_pace` keeps to a rate, and never catches up in a burst.
 */
export const WRITER_PROCEDURES = `
  CREATE FUNCTION bench_id(n int) RETURNS uuid LANGUAGE sql IMMUTABLE AS
    $$ SELECT ('${ID_PREFIX}' || lpad(to_hex(n), 12, '0'))::uuid $$;
  CREATE FUNCTION bench_payload() RETURNS jsonb LANGUAGE sql VOLATILE AS
    $$ SELECT ('{"at": ' || extract(epoch FROM clock_timestamp()) * 1000 || ', "pad": "${PADDING}"}')::jsonb $$;
  CREATE PROCEDURE bench_write(first int, last int, per_transaction int) LANGUAGE plpgsql AS $$
    DECLARE
      n int := first;
    BEGIN
      WHILE n <= last LOOP
        INSERT INTO public.outbox (id, aggregatetype, aggregateid, type, payload)
          SELECT bench_id(m), 'bench', 'key-' || m % ${KEYS}, 'written', bench_payload()
          FROM generate_series(n, least(n + per_transaction - 1, last)) m;
        COMMIT;
        n := n + per_transaction;
      END LOOP;
    END $$;
  CREATE PROCEDURE bench_pace(first int, last int, per_second float) LANGUAGE plpgsql AS $$
    DECLARE
      due timestamptz := clock_timestamp();
    BEGIN
      FOR n IN first..last LOOP
        PERFORM pg_sleep(extract(epoch FROM due - clock_timestamp())) WHERE due > clock_timestamp();
        INSERT INTO public.outbox (id, aggregatetype, aggregateid, type, payload)
          VALUES (bench_id(n), 'bench', 'key-' || n % ${KEYS}, 'written', bench_payload());
        COMMIT;
        due := greatest(due + make_interval(secs => 1 / per_second), clock_timestamp() - interval '5 ms');
      END LOOP;
    END $$;`;
