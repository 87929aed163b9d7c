/** What the log lane makes of real logs, against the table and against another parser. */
import { PgoutputPlugin, type Pgoutput } from 'pg-logical-replication';
import type pg from 'pg';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { decodePgoutput, type RelationMessage, tupleBounds } from '../../src/capture/stream/pgoutput-decoder.ts';
import { XLOG_DATA, XLOG_DATA_HEADER_BYTES } from '../../src/capture/stream/replication-messages.ts';
import { createSlot, newSlotName } from '../../src/capture/stream/slot.ts';
import { streamSource } from '../../src/capture/stream/stream-source.ts';
import { walsenderConnection } from '../../src/capture/stream/walsender-connection.ts';
import { parseLsn } from '../../src/core/lsn.ts';
import type { OutboxRow } from '../../src/core/row.ts';
import type { OutboxTable, TableColumn } from '../../src/core/table.ts';
import { columnReference, textExpression } from '../../src/postgres/column-text.ts';
import { connectReplication, destroyConnection } from '../../src/postgres/connection.ts';
import { quoteIdentifier } from '../../src/postgres/identifier.ts';
import { startPostgres, type StartedPostgres } from '../support/services/postgres.ts';
import * as harness from '../support/stream-harness.ts';

const never = new AbortController().signal;

/** Types with values that are awkward to carry: as SQL text, or null. */
const KINDS: readonly { readonly type: string; readonly value: fc.Arbitrary<string> }[] = [
  { type: 'text', value: fc.string({ unit: 'grapheme', maxLength: 60 }).map((text) => text.replaceAll('\0', '')) },
  { type: 'bytea', value: fc.uint8Array().map((bytes) => `\\x${Buffer.from(bytes).toString('hex')}`) },
  { type: 'bigint', value: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String) },
  { type: 'numeric', value: fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }).map((n) => `${n}.000100`) },
  { type: 'double precision', value: fc.double().map(String) },
  { type: 'real', value: fc.float().map(String) },
  { type: 'character(5)', value: fc.constantFrom('a', 'ab  ', '') },
  { type: 'inet', value: fc.constantFrom('10.0.0.1', '10.0.0.0/8', '::1') },
  { type: 'boolean', value: fc.boolean().map(String) },
  { type: 'uuid', value: fc.uuid() },
  { type: 'jsonb', value: fc.json().map((json) => json.replaceAll(/\\u0000|\\ud[89a-f]../gi, '')) },
  { type: 'json', value: fc.constant('{"z":1, "a":  9007199254740993,"a":2}') },
  { type: 'timestamp with time zone', value: fc.constantFrom('2026-02-03 04:05:06.789+05', 'infinity') },
  { type: 'interval', value: fc.constantFrom('1 mon -2 days 03:04:05.6', '0') },
  { type: 'text[]', value: fc.constant('{"a,b",NULL,"\\"x\\""}') },
];

interface Sample {
  readonly columns: readonly TableColumn[];
  readonly rows: readonly (readonly (string | null)[])[];
}

const samples: fc.Arbitrary<Sample> = fc
  .array(fc.tuple(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }), fc.constantFrom(...KINDS)), {
    minLength: 1,
    maxLength: 8,
  })
  .chain((kinds) =>
    fc.record({
      // Numbered, so that no two names are alike and none is a column that is there anyway.
      columns: fc.constant(kinds.map(([name, { type }], at) => ({ name: `${at}${name.replaceAll('\0', '')}`, type }))),
      rows: fc.array(fc.tuple(...kinds.map(([, { value }]) => fc.option(value, { freq: 4 }))), {
        minLength: 1,
        maxLength: 20,
      }),
    }),
  );

async function createTable(sql: pg.Client, { columns }: Sample, name: string): Promise<void> {
  const list = columns.map((column) => `${quoteIdentifier(column.name)} ${column.type}`).join(', ');
  await sql.query(`CREATE TABLE ${name} (position bigint GENERATED ALWAYS AS IDENTITY, id text, ${list});
    CREATE PUBLICATION ${name}_publication FOR TABLE ${name}`);
}

async function insertSample(sql: pg.Client, { columns, rows }: Sample, name: string): Promise<void> {
  const names = columns.map((column) => quoteIdentifier(column.name)).join(', ');
  const parameters = columns.map((column, at) => `$${at + 2}::text::${column.type}`).join(', ');
  for (const [number, row] of rows.entries()) {
    await sql.query(`INSERT INTO ${name} (id, ${names}) VALUES ($1, ${parameters})`, [`row ${number}`, ...row]);
  }
}

/** The same rows as the table lane reads them. */
function inBytes({ values }: OutboxRow): (Buffer | null)[] {
  return values.map((value) => (typeof value === 'string' ? Buffer.from(value) : value));
}

async function readTable(sql: pg.Client, columns: readonly TableColumn[], name: string) {
  const list = columns.map((column) =>
    column.type === 'bytea' ? columnReference(column) : `convert_to(${textExpression(column)}, 'UTF8')`,
  );
  const { rows } = await sql.query<(Buffer | null)[]>({
    text: `SELECT ${list.join(', ')} FROM ${name} o ORDER BY o.position`,
    rowMode: 'array',
  });
  return rows;
}

describe.each(['14', '18'] as const)('Postgres %s', (version) => {
  let server: StartedPostgres;
  let sql: pg.Client;
  let url: string;
  let databases = 0;

  beforeAll(async () => {
    server = await startPostgres({ version });
  });
  afterAll(() => server.dispose());
  beforeEach(async () => {
    url = await server.createDatabase(`decoding_${++databases}`);
    sql = await harness.connect(url);
    await sql.query(`SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET extra_float_digits = 1`);
    return () => sql.end();
  });

  async function openStream(table: OutboxTable, publication = 'outbox_relay') {
    const recorder = new harness.Recorder();
    const stream = await streamSource(harness.streamOptions(url, { table, publication })).open(recorder, never);
    return { recorder, stream };
  }

  test('random tables and values: the bytes of the table, one row after the other', async () => {
    let number = 0;
    await fc.assert(
      fc.asyncProperty(samples, async (sample) => {
        const name = `sample_${++number}`;
        await createTable(sql, sample, name);
        const table = harness.outboxTable({ name, id: { name: 'id', type: 'text' }, reads: sample.columns });
        const { recorder, stream } = await openStream(table, `${name}_publication`);
        await insertSample(sql, sample, name);
        await recorder.untilRows(sample.rows.length);
        await stream.close();
        expect(recorder.rows.map(inBytes)).toEqual(await readTable(sql, sample.columns, name));
        expect(recorder.rows.map(({ position, id }) => `${position} ${id}`)).toEqual(
          sample.rows.map((_, at) => `${at + 1} row ${at}`),
        );
        expect(recorder.breaches).toEqual([]);
      }),
      { numRuns: 20 },
    );
  });

  test('message by message the same as pg-logical-replication', async () => {
    const [sample] = fc.sample(fc.array(samples, { minLength: 5, maxLength: 5 }), { numRuns: 1, seed: 7 });
    await sql.query('CREATE PUBLICATION everything FOR ALL TABLES');
    for (const [at, each] of sample!.entries()) await createTable(sql, each, `same_${at}`);
    const chunks = await captureChunks(harness.streamOptions(url).postgres, 'everything', async () => {
      for (const [at, each] of sample!.entries()) await insertSample(sql, each, `same_${at}`);
      await sql.query(`CREATE TYPE mood AS ENUM ('well'); CREATE TABLE moods (mood mood)`);
      await sql.query(`INSERT INTO moods VALUES ('well'); TRUNCATE moods; CREATE TABLE done (n int)`);
      await sql.query(`INSERT INTO done VALUES (1)`);
    });
    const seen = compareWithPeer(chunks);
    expect(seen.rows).toBeGreaterThanOrEqual(sample!.flatMap(({ rows }) => rows).length);
    expect([...seen.kinds].sort()).toEqual(['begin', 'commit', 'insert', 'relation', 'truncate', 'type']);
  });

  test('json keeps its key order, blanks and integers over 2^53', async () => {
    await sql.query(harness.CREATE_OUTBOX);
    await sql.query('ALTER TABLE outbox ALTER payload TYPE json');
    const table = harness.outboxTable({ reads: [{ name: 'payload', type: 'json' }] });
    const { recorder, stream } = await openStream(table);
    const json = '{"z": 1,  "a":90071992547409931, "a":2}';
    await sql.query(`INSERT INTO outbox (aggregatetype, aggregateid, type, payload) VALUES ('a','b','c',$1)`, [json]);
    await recorder.untilRows(1);
    expect(recorder.texts(table, 'payload')).toEqual([json]);
    await stream.close();
  });

  test('columns that are added, dropped or renamed while it runs', async () => {
    await sql.query(harness.CREATE_OUTBOX);
    const table = harness.outboxTable();
    const { recorder, stream } = await openStream(table);
    await sql.query(harness.insertRows(2));
    await sql.query(`ALTER TABLE outbox ADD COLUMN extra text DEFAULT 'x'; ${harness.insertRows(1)}`);
    await sql.query(`ALTER TABLE outbox DROP COLUMN extra, DROP COLUMN created_at; ${harness.insertRows(1)}`);
    await sql.query(`ALTER TABLE outbox ALTER payload TYPE text, ADD COLUMN twice int; ${harness.insertRows(1)}`);
    await recorder.untilRows(5);
    expect(recorder.texts(table, 'aggregateid')).toEqual(['1', '2', '1', '1', '1']);
    expect(recorder.texts(table, 'headers')).toEqual([null, null, null, null, null]);

    await sql.query(`ALTER TABLE outbox RENAME COLUMN headers TO other; ${harness.insertRows(1)}`);
    const error = await recorder.untilEnded();
    expect(error).toMatchObject({
      code: 'replication_unavailable',
      message: expect.stringContaining('headers') as string,
    });
    await stream.close();
  });

  test('a generated column beside those that are read does no harm; one that is read is refused beforehand', async () => {
    await sql.query(harness.CREATE_OUTBOX);
    await sql.query(`ALTER TABLE outbox ADD COLUMN upper text GENERATED ALWAYS AS (upper(type)) STORED`);
    const table = harness.outboxTable();
    const { recorder, stream } = await openStream(table);
    await sql.query(harness.insertRows(1));
    await recorder.untilRows(1);
    expect(recorder.texts(table, 'type')).toEqual(['created']);
    await stream.close();

    const reading = harness.outboxTable({ reads: [{ name: 'upper', type: 'text' }] });
    await expect(openStream(reading)).rejects.toMatchObject({
      code: 'replication_publication',
      message: expect.stringContaining('upper') as string,
    });
  });

  test('a partitioned table through its root, also partitions attached later; other tables are left out', async () => {
    await sql.query(`
      CREATE TABLE outbox (position bigint NOT NULL, id text NOT NULL, payload text) PARTITION BY RANGE (position);
      CREATE TABLE outbox_a (payload text, position bigint NOT NULL, id text NOT NULL);
      ALTER TABLE outbox ATTACH PARTITION outbox_a FOR VALUES FROM (0) TO (10);
      CREATE TABLE bystander (position bigint, id text, payload text);
      CREATE PUBLICATION outbox_relay FOR TABLE outbox, bystander
        WITH (publish = 'insert', publish_via_partition_root = true)`);
    const table = harness.outboxTable({
      id: { name: 'id', type: 'text' },
      reads: [{ name: 'payload', type: 'text' }],
    });
    const { recorder, stream } = await openStream(table);
    await sql.query(`INSERT INTO outbox VALUES (1, 'one', 'first'); INSERT INTO bystander VALUES (7, 'no', 'no')`);
    await sql.query(`CREATE TABLE outbox_b PARTITION OF outbox FOR VALUES FROM (10) TO (20)`);
    await sql.query(`INSERT INTO outbox VALUES (11, 'two', 'second')`);
    await recorder.untilRows(2);
    expect(recorder.rows.map(({ position, id }) => [position, id])).toEqual([
      [1n, 'one'],
      [11n, 'two'],
    ]);
    expect(recorder.texts(table, 'payload')).toEqual(['first', 'second']);
    await stream.close();
  });

  test('transactions: savepoints, rollbacks, prepared ones, in commit order, with the top-level xid', async () => {
    await sql.query(harness.CREATE_OUTBOX);
    const table = harness.outboxTable();
    const { recorder, stream } = await openStream(table);
    const other = await harness.connect(url);
    const insert = (key: string): string =>
      `INSERT INTO outbox (aggregatetype, aggregateid, type) VALUES ('t', '${key}', 'c');`;
    await other.query(`BEGIN; ${insert('late')}`);
    await sql.query(`BEGIN; ${insert('a')} SAVEPOINT s; ${insert('gone')} ROLLBACK TO s; SAVEPOINT s2; ${insert('b')}
      RELEASE s2; ${insert('c')}`);
    const { rows } = await sql.query<{ xid: string }>('SELECT pg_current_xact_id()::text AS xid');
    await sql.query('COMMIT');
    await sql.query(`BEGIN; ${insert('rolled back')} ROLLBACK`);
    await sql.query(`BEGIN; ${insert('prepared')} PREPARE TRANSACTION 'stream_test_${databases}'`);
    await sql.query(`BEGIN; ${insert('never')} PREPARE TRANSACTION 'stream_gone_${databases}'`);
    await sql.query(`ROLLBACK PREPARED 'stream_gone_${databases}'`);
    await other.query('COMMIT');
    await sql.query(`COMMIT PREPARED 'stream_test_${databases}'`);
    await recorder.untilReached(await harness.insertPosition(sql));
    expect(recorder.transactions.map((each) => each.rows.map((row) => row.values[1]?.toString()))).toEqual([
      ['a', 'b', 'c'],
      ['late'],
      ['prepared'],
    ]);
    expect(recorder.transactions[0]).toMatchObject({ xid: Number(BigInt(rows[0]!.xid) & 0xffffffffn) });
    expect(Math.abs(recorder.transactions[0]!.committedAt - Date.now())).toBeLessThan(60_000);
    expect(recorder.breaches).toEqual([]);
    await Promise.all([stream.close(), other.end()]);
  });
});

/** Streams the messages of a publication raw, while `work` runs and until its last transaction has arrived. */
async function captureChunks(
  postgres: Parameters<typeof connectReplication>[0],
  publication: string,
  work: () => Promise<void>,
): Promise<Buffer[]> {
  const walsender = await connectReplication(postgres, 'capture');
  const name = newSlotName('capture', 0);
  await createSlot(walsender, name);
  const chunks: Buffer[] = [];
  const done = new Promise<void>((resolve) => {
    walsenderConnection(walsender).on('copyData', ({ chunk }) => {
      if (chunk[0] !== XLOG_DATA) return;
      const message = Buffer.from(chunk.subarray(XLOG_DATA_HEADER_BYTES));
      chunks.push(message);
      const decoded = decodePgoutput(message);
      if (decoded.kind === 'relation' && decoded.name === 'done') last = true;
      if (last && decoded.kind === 'commit') resolve();
    });
  });
  let last = false;
  const conversation = walsender.query(
    `START_REPLICATION SLOT "${name}" LOGICAL 0/0 (proto_version '1', publication_names '${publication}')`,
  );
  const over = conversation.catch(() => undefined);
  await work();
  await done;
  destroyConnection(walsender);
  await over;
  return chunks;
}

/** Decodes all with both; expects the same of each message. */
function compareWithPeer(chunks: readonly Buffer[]): { rows: number; kinds: Set<string> } {
  const peer = new PgoutputPlugin({ protoVersion: 1, publicationNames: ['everything'] });
  const shapes = new Map<number, RelationMessage>();
  const kinds = new Set<string>();
  let rows = 0;
  for (const chunk of chunks) {
    const theirs = peer.parse(chunk);
    const ours = decodePgoutput(chunk);
    kinds.add(theirs.tag);
    // Text as it came, instead of what their type parsers make of it.
    if (theirs.tag === 'relation') for (const column of theirs.columns) column.parser = (text: unknown) => text;
    switch (ours.kind) {
      case 'begin': {
        const { commitLsn, xid, commitTime } = theirs as Pgoutput.MessageBegin;
        expect(ours).toMatchObject({ commitLsn: parseLsn(commitLsn!), xid: xid >>> 0 });
        expect(Math.round(ours.committedAt * 1000)).toBe(Number(commitTime.toString()));
        break;
      }
      case 'commit': {
        const { commitLsn, commitEndLsn } = theirs as Pgoutput.MessageCommit;
        expect(ours).toMatchObject({ commitLsn: parseLsn(commitLsn!), endLsn: parseLsn(commitEndLsn!) });
        break;
      }
      case 'relation': {
        const { relationOid, schema, name, columns } = theirs as Pgoutput.MessageRelation;
        expect(ours).toEqual({
          kind: 'relation',
          relationId: relationOid,
          schema,
          name,
          columns: columns.map(({ name: column, typeOid }) => ({ name: column, typeOid })),
        });
        shapes.set(ours.relationId, ours);
        break;
      }
      case 'insert': {
        rows++;
        const bounds = tupleBounds(chunk, ours.tupleAt);
        const values = shapes.get(ours.relationId)!.columns.map(({ name }, at) => {
          const start = bounds[at * 2]!;
          return [name, start < 0 ? null : chunk.toString('utf8', start, bounds[at * 2 + 1])];
        });
        expect(Object.fromEntries(values)).toEqual({ ...(theirs as Pgoutput.MessageInsert).new });
        break;
      }
      case 'ignored':
        expect(['type', 'truncate', 'origin', 'message', 'update', 'delete']).toContain(theirs.tag);
    }
  }
  return { rows, kinds };
}
