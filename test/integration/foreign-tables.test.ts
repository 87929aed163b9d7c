/** The tables and mappings of docs/foreign-tables.md, each as its framework makes and fills it. */
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { tableMapping } from '../../src/app/routes.ts';
import { loadConfig } from '../../src/config/index.ts';
import { checkPostgres } from '../../src/postgres/check/index.ts';
import { closeConnection, connectSql } from '../../src/postgres/connection.ts';
import { applyInit } from '../../src/postgres/init.ts';
import { readBySdk } from '../support/cloudevents.ts';
import { samplesOf } from '../support/doc-samples.ts';
import { FOREIGN_TABLES, type ForeignTable } from '../support/foreign-tables.ts';
import { readTopic, type TopicRecord } from '../support/kafka-reader.ts';
import { createTopic, deleteTopic } from '../support/kafka-topic.ts';
import { connectAdmin, createRole, dropRoles, postgresOptions } from '../support/outbox.ts';
import { type RelayConfig, startRelay } from '../support/relay-process.ts';
import { describeWithService, freshDatabase, uniqueName } from '../support/service.ts';
import { until } from '../support/services/until.ts';

const SAMPLES = samplesOf('docs/foreign-tables.md');

function sample(table: ForeignTable, language: string): string {
  const found = SAMPLES.find((each) => each.heading === table.heading && each.language === language);
  if (found === undefined) throw new Error(`docs/foreign-tables.md shows no ${language} for ${table.heading}`);
  return found.text;
}

/** What arrived, in the words of {@link ForeignTable.arrives}; of headers those that are asked for. */
function described({ key, value, headers }: TopicRecord, names: readonly string[]) {
  const texts = headers.map(([name, text]) => [name, String(text)] as const);
  return {
    key: key?.toString() ?? null,
    value: value?.toString() ?? null,
    headers: Object.fromEntries(texts.filter(([name]) => names.includes(name))),
  };
}

it('shows a table that is tested under each heading with statements', () => {
  const shown = SAMPLES.filter(({ language }) => language === 'sql').map(({ heading }) => heading);
  expect(FOREIGN_TABLES.map(({ heading }) => heading)).toEqual(shown);
});

describeWithService('kafka', 'an outbox table of', ({ url: brokers }) => {
  describeWithService('postgres', 'a framework', () => {
    const database = freshDatabase();
    let admin: pg.Client;
    let role: string;

    beforeAll(async () => {
      admin = await connectAdmin(database.url);
      role = await createRole(admin, 'relay', 'REPLICATION');
    });
    afterAll(async () => {
      await dropRoles(admin, [role]);
      await admin.end();
    });

    /** The configuration as the page shows it, with what a test needs besides. */
    function configOf(table: ForeignTable): RelayConfig {
      const { hosts, database: name, user, password } = postgresOptions(database.url, role);
      return {
        ...(parse(sample(table, 'yaml')) as RelayConfig),
        postgres: { ...hosts[0], database: name, user, password },
        destinations: { kafka: { type: 'kafka', brokers } },
        capture: {
          publication: uniqueName('publication'),
          slotPrefix: uniqueName('slot'),
          retryReplication: '500ms',
          pollInterval: '50ms',
        },
        admin: { port: 0 },
      };
    }

    /** Does what `init --yes` does, and resolves with what `check` then finds wrong, and with the table. */
    async function setUp(config: RelayConfig): Promise<{ faults: readonly string[]; name: string }> {
      const loaded = loadConfig({ file: 'relay.yaml', env: {}, readFile: () => JSON.stringify(config) });
      const { publication, mode: captureMode, walBudget: walBudgetBytes } = loaded.capture;
      const mapping = tableMapping(loaded);
      const { notes } = await applyInit(
        admin,
        { mapping, payload: 'jsonb', relayRole: role, writerRole: null, publication },
        true,
      );
      const relay = await connectSql(postgresOptions(database.url, role), 'test');
      const context = { mapping, publication, captureMode, walBudgetBytes, connection: null };
      const findings = await checkPostgres(relay, context).finally(() => closeConnection(relay));
      const faults = findings.filter(({ status, subject }) => status === 'error' || subject.includes('order'));
      return {
        faults: [
          ...notes.filter((note) => note.includes('order column')),
          ...faults.filter(({ status }) => status !== 'ok').map(({ message }) => message),
        ],
        name: `${pg.escapeIdentifier(mapping.schema)}.${pg.escapeIdentifier(mapping.name)}`,
      };
    }

    it.each(FOREIGN_TABLES.map((table) => [table.heading, table] as const))(
      '%s is published as it is, from table and stream',
      async (_, table) => {
        const topic = table.topic ?? uniqueName('foreign');
        await admin.query(sample(table, 'sql'));
        const config = configOf(table);
        const { faults, name } = await setUp(config);
        expect(faults).toEqual([]);
        const untilEmpty = (): Promise<unknown> =>
          until(async () => (await admin.query(`SELECT FROM ${name}`)).rowCount === 0, {
            what: `the rows of ${name}`,
            everyMs: 50,
          });
        const topics = [...new Set(table.arrives(topic, 'any').map((message) => message.topic))];
        for (const each of topics) await createTopic(brokers, each, 1);
        try {
          await admin.query(table.insert(topic, 'table'));
          const relay = await startRelay(config);
          await relay.untilState('streaming', 'kafka');
          await untilEmpty();
          await admin.query(table.insert(topic, 'stream'));
          await untilEmpty();

          const expected = [...table.arrives(topic, 'table'), ...table.arrives(topic, 'stream')];
          for (const each of topics) {
            const records = await readTopic(brokers, each);
            const wanted = expected.filter((message) => message.topic === each);
            const found = records.map((record, at) => described(record, Object.keys(wanted[at]?.headers ?? {})));
            expect(found).toEqual(wanted.map(({ key, value, headers }) => ({ key, value, headers })));
            if (table.cloudEvents === true) for (const record of records) readBySdk(consumed(record));
          }
        } finally {
          for (const each of topics) await deleteTopic(brokers, each);
        }
      },
      60_000,
    );
  });
});

function consumed({ key, value, headers }: TopicRecord) {
  return {
    key: String(key),
    value,
    headers: Object.fromEntries(headers.map(([name, text]) => [name, String(text)])),
  };
}
