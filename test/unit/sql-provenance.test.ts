import { resolve } from 'node:path';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { unprovenSql } from '../support/sql-provenance/statements.ts';

const ROOT = resolve(import.meta.dirname, '../..');

/** Texts in statements that no function of ours has quoted, each looked at: file and expression, and why it is safe. */
const REVIEWED: Readonly<Record<string, string>> = {
  'src/capture/stream/publication-coverage.ts: coverage.shard_column': 'quoted by the server: quote_ident()',
  'src/postgres/publication.ts: row.shard_column': 'quoted by the server: quote_ident()',
  'src/postgres/check/table.ts: row.children': 'quoted by the server: regclass::text',
  'src/postgres/check/table.ts: relation': 'quoted by the server: regclass::text',
  'src/postgres/check/server.ts: row.keep_size': 'in the prose behind the statement, never run: a size of the server',
};

/** What applications import: no module of the daemon does, and it imports none of them but `core`. */
const FOR_APPLICATIONS = /\/src\/(client|inbox|resilience)\//;

/** Compiles the files of tsconfig.json under src, and those that are given by name and text. */
function programOf(planted: Readonly<Record<string, string>> | null): ts.Program {
  const { config } = ts.readConfigFile(resolve(ROOT, 'tsconfig.json'), (path) => ts.sys.readFile(path)) as {
    config: object;
  };
  const { fileNames, options } = ts.parseJsonConfigFileContent({ ...config, include: ['src'] }, ts.sys, ROOT);
  if (planted === null) return ts.createProgram(fileNames, options);
  const host = ts.createCompilerHost(options);
  const read = host.getSourceFile.bind(host);
  host.getSourceFile = (name, version) =>
    name in planted ? ts.createSourceFile(name, planted[name]!, version, true) : read(name, version);
  return ts.createProgram(Object.keys(planted), { ...options, types: [] }, host);
}

describe('statements of SQL', () => {
  test('consist of literals, numbers, and what is quoted', { timeout: 120_000 }, () => {
    const program = programOf(null);
    const files = program.getSourceFiles().filter((file) => file.fileName.startsWith(`${ROOT}/src/`));
    // Apart, for neither calls the other: methods that have the same name by chance are not taken for each other's.
    const forApplications = files.filter((file) => FOR_APPLICATIONS.test(file.fileName));
    const ofDaemon = files.filter((file) => !FOR_APPLICATIONS.test(file.fileName));
    expect(forApplications.length).toBeGreaterThan(0);
    const found = [...unprovenSql(program, ofDaemon), ...unprovenSql(program, forApplications)];
    const unknown = found.filter(({ origin }) => !(origin in REVIEWED));
    expect(unknown.map(({ statement, origin }) => `${statement} <- ${origin}`)).toEqual([]);
    // what was reviewed and is gone makes room for something else that looks like it
    expect(new Set(found.map(({ origin }) => origin))).toEqual(new Set(Object.keys(REVIEWED)));
  });

  test.each([
    ['put into the text', 'client.query(`SELECT ${name}`);'],
    ['added to it', `client.query('SELECT ' + name);`],
    ['in a constant', 'const made = `SELECT ${name}`; client.query(made);'],
    ['in a configuration of a query', 'client.query({ text: `SELECT ${name}`, values: [] });'],
    ['in an element', `client.query(['SELECT', name].join(' '));`],
    ['pushed', `const parts = ['SELECT']; parts.push(name); client.query(parts.join(' '));`],
    ['mapped', "client.query([name].map((each) => `SELECT ${each}`).join('; '));"],
    ['returned', 'const made = (): string => name; client.query(`SELECT ${made()}`);'],
    [
      'an argument',
      'function run(what: string) { client.query(`SELECT ${what}`); } run(quoteIdentifier("x")); run(name);',
    ],
    [
      'a field',
      'class A { #what = ""; set(given: string) { this.#what = given; } run() { client.query(this.#what); } } new A().set(name);',
    ],
    ['of an object', 'const made = { what: name, other: "" }; const { what } = made; client.query(`SELECT ${what}`);'],
    [
      'of an interface',
      'interface Of { sql(): string } class B implements Of { sql() { return name; } } const of: Of = new B(); client.query(of.sql());',
    ],
    [
      'of a function that is given',
      'const run = (made: (given: string) => string) => client.query(made("x")); run((given) => given + name);',
    ],
    [
      'given to such a function',
      'const run = (made: (given: string) => string) => client.query(made(name)); run((given) => given);',
    ],
    ['chosen', `client.query(name === '' ? 'SELECT' : name);`],
    ['of a row', 'const [row] = client.query<{ name: string }>("SELECT"); client.query(`SELECT ${row!.name}`);'],
    ['in what is shown', 'export const remedy = `ALTER ROLE ${name} REPLICATION;`;'],
    ['whose type is asserted', 'client.query(name as string & {});'],
  ])('text from outside is found: %s', (_, statement) => {
    expect(origins(statement)).not.toEqual([]);
  });

  test.each([
    ['quoted', 'client.query(`SELECT ${quoteIdentifier(name)}`);'],
    ['quoted one by one', 'client.query(`SELECT ${[name].map(quoteIdentifier).join(", ")}`);'],
    ['a number', 'client.query(`SELECT ${name.length}`);'],
    ['a parameter', 'client.query("SELECT $1", [name]);'],
    ['before the statement', 'export const said = `${name} may not: ALTER ROLE ${quoteIdentifier(name)};`;'],
    ['one of two words', `declare const way: 'ASC' | 'DESC'; client.query(\`SELECT 1 ORDER BY 1 \${way}\`);`],
  ])('what is harmless passes: %s', (_, statement) => {
    expect(origins(statement)).toEqual([]);
  });
});

function origins(statement: string): readonly string[] {
  const planted = `${ROOT}/src/planted.ts`;
  const text = `declare const client: { query<Row>(sql: unknown, values?: unknown[]): Row[] };
    declare const name: string;
    declare function quoteIdentifier(name: string): string;
    ${statement}`;
  const program = programOf({ [planted]: text });
  return unprovenSql(program, [program.getSourceFile(planted)!]).map(({ origin }) => origin);
}
