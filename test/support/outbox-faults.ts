/** Outbox tables with one thing wrong each, for the tests of `check`. */
import type { Finding } from '../../src/core/finding.ts';
import { companionTables, quoteTable } from '../../src/postgres/identifier.ts';
import type { InitOptions } from '../../src/postgres/init.ts';

/** One thing set wrongly: what spoils it, and what `check` then says about it. */
export interface Fault {
  readonly title: string;
  readonly status: Finding['status'];
  readonly subject: string;
  spoil(options: InitOptions, relayRole: string): string;
  /** Where the outbox is not the default one. */
  readonly table?: (outbox: string) => string;
  /** What it entails, told after it. */
  readonly entails?: readonly string[];
  /** @default 140000 */
  readonly since?: number;
}

/** The outbox table, quoted. */
export const outboxName = ({ mapping }: InitOptions): string => quoteTable(mapping);
/** All columns of the default table besides the order column. */
export const USUAL_COLUMNS = `id uuid NOT NULL DEFAULT gen_random_uuid(), aggregatetype text NOT NULL, aggregateid text NOT NULL,
  type text NOT NULL, payload jsonb, headers jsonb, created_at timestamptz NOT NULL DEFAULT clock_timestamp()`;
/** Makes a partitioned outbox with partitions `outbox_a` and `outbox_d`, numbered by sequence `outbox_s`. */
export const PARTITIONED = (outbox: string): string => `CREATE SEQUENCE ${outbox.replace(/"$/, '_s"')};
  CREATE TABLE ${outbox} (position bigint NOT NULL DEFAULT nextval('${outbox.replace(/"$/, '_s"')}'), ${USUAL_COLUMNS},
    PRIMARY KEY (position, aggregatetype)) PARTITION BY LIST (aggregatetype);
  CREATE TABLE ${outbox.replace(/"$/, '_a"')} PARTITION OF ${outbox} FOR VALUES IN ('a');
  CREATE TABLE ${outbox.replace(/"$/, '_d"')} PARTITION OF ${outbox} DEFAULT`;
const beside = (options: InitOptions, suffix: string): string => outboxName(options).replace(/"$/, `${suffix}"`);

/** Each is found by `check`, alone, and mended by its remedy. */
export const FAULTS: readonly Fault[] = [
  {
    title: 'no unique index',
    status: 'error',
    subject: 'order_index',
    spoil: (options) => `ALTER TABLE ${outboxName(options)} DROP CONSTRAINT outbox_pkey`,
  },
  {
    title: 'no unique index on a partitioned table',
    status: 'error',
    subject: 'order_index',
    table: PARTITIONED,
    spoil: (options) => `ALTER TABLE ${outboxName(options)} DROP CONSTRAINT outbox_pkey`,
  },
  {
    title: 'a unique index over a part of the rows only',
    status: 'error',
    subject: 'order_index',
    spoil: (options) =>
      `ALTER TABLE ${outboxName(options)} DROP CONSTRAINT outbox_pkey; CREATE UNIQUE INDEX ON ${outboxName(options)} (position) WHERE type <> 'x'`,
  },
  {
    title: 'positions that may be null',
    status: 'error',
    subject: 'order_not_null',
    table: (outbox) => `CREATE SEQUENCE ${outbox.replace(/"$/, '_s"')};
      CREATE TABLE ${outbox} (position bigint UNIQUE DEFAULT nextval('${outbox.replace(/"$/, '_s"')}'), ${USUAL_COLUMNS})`,
    spoil: () => 'SELECT',
  },
  {
    title: 'positions from nowhere',
    status: 'warning',
    subject: 'order_sequence',
    table: (outbox) => `CREATE TABLE ${outbox} (position bigint PRIMARY KEY, ${USUAL_COLUMNS})`,
    spoil: (options) =>
      `INSERT INTO ${outboxName(options)} (position, aggregatetype, aggregateid, type) VALUES (5, 't', 'k', 'e')`,
  },
  {
    title: 'a sequence with a cache',
    status: 'error',
    subject: 'order_cache',
    spoil: (options) => `ALTER TABLE ${outboxName(options)} ALTER COLUMN position SET CACHE 10`,
  },
  {
    title: 'a cached sequence behind a default',
    status: 'error',
    subject: 'order_cache',
    table: PARTITIONED,
    spoil: (options) => `ALTER SEQUENCE ${beside(options, '_s')} CACHE 2`,
  },
  {
    title: 'a sequence that cycles',
    status: 'error',
    subject: 'order_cycle',
    spoil: (options) => `ALTER TABLE ${outboxName(options)} ALTER COLUMN position SET CYCLE`,
  },
  {
    title: 'a sequence that counts down',
    status: 'error',
    subject: 'order_direction',
    spoil: (options) =>
      `ALTER TABLE ${outboxName(options)} ALTER COLUMN position SET MINVALUE -100 SET INCREMENT BY -1`,
  },
  {
    title: 'ids that may be null',
    status: 'error',
    subject: 'id_column',
    spoil: (options) => `ALTER TABLE ${outboxName(options)} ALTER COLUMN id DROP NOT NULL`,
  },
  {
    title: 'a child table',
    status: 'error',
    subject: 'table_children',
    spoil: (options) => `CREATE TABLE ${beside(options, '_child')} () INHERITS (${outboxName(options)})`,
  },
  {
    title: 'row security',
    status: 'error',
    subject: 'row_security',
    spoil: (options, role) =>
      `ALTER TABLE ${outboxName(options)} ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON ${outboxName(options)} TO ${role} USING (true)`,
  },
  {
    title: 'a trigger before deletes',
    status: 'error',
    subject: 'delete_trigger',
    spoil: (options) =>
      `CREATE FUNCTION ${options.mapping.schema}.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
       CREATE TRIGGER "T 1" BEFORE DELETE ON ${outboxName(options)} FOR EACH ROW EXECUTE FUNCTION ${options.mapping.schema}.f()`,
  },
  {
    title: 'a trigger before deletes on a partition',
    status: 'error',
    subject: 'delete_trigger',
    table: PARTITIONED,
    spoil: (options) =>
      `CREATE FUNCTION ${options.mapping.schema}.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
       CREATE TRIGGER t BEFORE DELETE ON ${beside(options, '_a')} FOR EACH ROW EXECUTE FUNCTION ${options.mapping.schema}.f()`,
  },
  {
    title: 'a rule on deletes',
    status: 'error',
    subject: 'delete_rule',
    spoil: (options) => `CREATE RULE r AS ON DELETE TO ${outboxName(options)} DO INSTEAD NOTHING`,
  },
  {
    title: 'a foreign key to outbox rows',
    status: 'error',
    subject: 'delete_foreign_key',
    spoil: (options) => `CREATE TABLE ${beside(options, '_ref')} (p bigint REFERENCES ${outboxName(options)})`,
  },
  {
    title: 'a parked table that is missing',
    status: 'error',
    subject: 'schema_version',
    entails: Array.from({ length: 4 }, () => 'privileges'),
    spoil: (options) => `DROP TABLE ${quoteTable(companionTables(options.mapping).parked)}`,
  },
  {
    title: 'a version that is not recorded',
    status: 'error',
    subject: 'schema_version',
    spoil: (options) => `DELETE FROM ${quoteTable(companionTables(options.mapping).schemaVersion)} WHERE version = 4`,
  },
  {
    title: 'a role that may not replicate',
    status: 'error',
    subject: 'replication_role',
    spoil: (_, role) => `ALTER ROLE ${role} NOREPLICATION`,
  },
  {
    title: 'no publication',
    status: 'error',
    subject: 'publication_exists',
    spoil: ({ publication }) => `DROP PUBLICATION ${publication!}`,
  },
  {
    title: 'a publication of other tables',
    status: 'error',
    subject: 'publication_covers',
    spoil: (options) => `ALTER PUBLICATION ${options.publication!} DROP TABLE ${outboxName(options)}`,
  },
  {
    title: 'a publication of one partition',
    status: 'error',
    subject: 'publication_covers',
    table: PARTITIONED,
    spoil: (options) => `ALTER PUBLICATION ${options.publication!} SET TABLE ${beside(options, '_a')}`,
  },
  {
    title: 'a publication without inserts',
    status: 'error',
    subject: 'publication_inserts',
    spoil: ({ publication }) => `ALTER PUBLICATION ${publication!} SET (publish = 'update')`,
  },
  {
    title: 'a publication with deletes',
    status: 'warning',
    subject: 'publication_deletes',
    spoil: ({ publication }) => `ALTER PUBLICATION ${publication!} SET (publish = 'insert, delete')`,
  },
  {
    title: 'a publication by partitions',
    status: 'error',
    subject: 'publication_via_root',
    table: PARTITIONED,
    spoil: ({ publication }) => `ALTER PUBLICATION ${publication!} SET (publish_via_partition_root = false)`,
  },
  {
    title: 'a row filter',
    status: 'error',
    subject: 'publication_row_filter',
    since: 150000,
    spoil: (options) =>
      `ALTER PUBLICATION ${options.publication!} SET TABLE ${outboxName(options)} WHERE (type <> 'x')`,
  },
  {
    title: 'a column list that hides a column that is read',
    status: 'error',
    subject: 'publication_column_list',
    since: 150000,
    spoil: (options) =>
      `ALTER PUBLICATION ${options.publication!} SET TABLE ${outboxName(options)} (position, id, aggregatetype, aggregateid, type)`,
  },
];
