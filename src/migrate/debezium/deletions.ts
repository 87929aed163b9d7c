import type { Reading } from './value.ts';

const QUARKUS = 'other.quarkus.debezium-outbox.';
const REMOVE = `${QUARKUS}remove-after-insert`;

/** What has happened to a table since its statistics began: `rowTraffic` of src/postgres asks for it. */
export interface RowTraffic {
  readonly inserted: number;
  readonly deleted: number;
  readonly empty: boolean;
}

/** Of the rows inserted, such a share may be deleted before it is taken for a habit: somebody tidied up once. */
const HABIT = 0.5;

const WAY_OUT =
  'Let applications leave their rows: in Quarkus quarkus.debezium-outbox.remove-after-insert=false, elsewhere take the delete behind the insert out; and end jobs that clean the table up. Then run this command again.';

/** The extension of Quarkus deletes what it inserts, unless it is told not to. */
export function examineApplication({ settings, findings }: Reading): void {
  if (!settings.hasAny(QUARKUS)) return;
  const removes = settings.flag(REMOVE, true);
  for (const [name, setting] of settings.unused(QUARKUS)) {
    findings.ok(setting.name, 'is of the application that writes the rows');
    settings.settle(name);
  }
  if (removes)
    findings.error(
      settings.nameOf(REMOVE),
      'the application deletes each row in the transaction that inserts it (remove-after-insert, on by default): nothing is left that the relay could publish',
      WAY_OUT,
    );
  else findings.ok(settings.nameOf(REMOVE), 'the application leaves its rows');
}

/** Looks at what the table's statistics tell of deletions. @param table its name */
export function examineTraffic(table: string, { inserted, deleted, empty }: RowTraffic, { findings }: Reading): void {
  const subject = `table ${table}`;
  if (inserted > 0 && deleted >= HABIT * inserted)
    findings.error(
      subject,
      `of ${inserted} rows that were inserted ${deleted} have been deleted${empty ? ', and it is empty' : ''}: applications, or a job, delete rows that the relay is to publish, perhaps in the transaction that inserts them`,
      `${WAY_OUT} The figures are those of pg_stat_user_tables; pg_stat_reset_single_table_counters() begins them anew.`,
    );
  else if (inserted === 0 && empty)
    findings.warning(
      subject,
      'nothing has been inserted since its statistics began, so that they do not tell whether applications delete their rows',
      'Look into the code that writes rows, or run this command again with --url when there is traffic.',
    );
  else findings.ok(subject, `of ${inserted} rows that were inserted ${deleted} have been deleted`);
}
