import { relative } from 'node:path';
import ts from 'typescript';
import { collectFlows, nameOfCallee } from './flows.ts';
import { Tracer } from './trace.ts';

/** Something in a statement of SQL that may be text from outside. */
export interface Unproven {
  /** File and line of the statement. */
  readonly statement: string;
  /** File and source of what is not proven. */
  readonly origin: string;
}

/** The quoting functions: what they return is one name, or one constant, whatever they are given. */
export const QUOTING: ReadonlySet<string> = new Set(['quoteIdentifier', 'quoteLiteral', 'quoteReplicationLiteral']);

/** Begins a statement, also within the remedy of an error. */
const STATEMENT =
  /\b(SELECT|INSERT INTO|UPDATE [$"o]|DELETE FROM|GRANT|REVOKE|FETCH|DECLARE|COPY|LOCK TABLE|(ALTER|CREATE|DROP) (TABLE|PUBLICATION|ROLE|SEQUENCE|SYSTEM|SCHEMA|INDEX|UNIQUE INDEX)|(CREATE|DROP|START)_REPLICATION)(?=[ (]|$)/;

/**
 * All that may bring text from outside into a statement, over all `files` of a program: into what is handed to a session's
 * `query`, and into templates that read as SQL, which are shown to whoever mends what `check` finds.
 */
export function unprovenSql(program: ts.Program, files: readonly ts.SourceFile[]): readonly Unproven[] {
  const checker = program.getTypeChecker();
  const tracer = new Tracer(checker, collectFlows(checker, files), QUOTING);
  const found = new Map<string, Unproven>();
  for (const file of files)
    for (const statement of statementsIn(file))
      for (const origin of statement.parts.flatMap((part) => tracer.origins(part))) {
        const told = {
          statement: `${nameOf(file)}:${lineOf(statement.node)}`,
          origin: `${nameOf(origin.getSourceFile())}: ${origin.getText()}`,
        };
        found.set(JSON.stringify(told), told);
      }
  return [...found.values()];
}

interface Statement {
  readonly node: ts.Node;
  readonly parts: readonly ts.Node[];
}

function statementsIn(file: ts.SourceFile): readonly Statement[] {
  const found: Statement[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isTemplateExpression(node)) found.push({ node, parts: partsOfSql(node) });
    else if (ts.isCallExpression(node) && isQueryOfSession(node))
      found.push({ node, parts: node.arguments.slice(0, 1) });
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

/** What a template puts in behind the first word of SQL; prose before it is not a statement. */
function partsOfSql(template: ts.TemplateExpression): readonly ts.Node[] {
  let before = template.head.text;
  return template.templateSpans.flatMap((span) => {
    const isSql = STATEMENT.test(`${before}$`);
    before += `$${span.literal.text}`;
    return isSql ? [span.expression] : [];
  });
}

/** `client.query(text)`, of a driver's client; `session.query(doing, text)` and `query(client, text)` lead there. */
function isQueryOfSession(call: ts.CallExpression): boolean {
  const [first] = call.arguments;
  return nameOfCallee(call) === 'query' && ts.isPropertyAccessExpression(call.expression) && first !== undefined;
}

function nameOf(file: ts.SourceFile): string {
  return relative(process.cwd(), file.fileName);
}

function lineOf(node: ts.Node): number {
  return node.getSourceFile().getLineAndCharacterOfPosition(node.getStart()).line + 1;
}
