import { LineCounter, isNode, parseDocument, visit, type Document } from 'yaml';
import type { OptionPath } from './problems.ts';

/** A parsed file. */
export interface YamlSource {
  /** Plain values; undefined when the file is empty or cannot be parsed. */
  readonly tree: unknown;
  /** What is wrong with the file as YAML; without any part of its content, which may be a secret. */
  readonly errors: readonly string[];
  /** Where the option stands, as `file:line:column`; null when the file does not have it. */
  locate(path: OptionPath): string | null;
}

/** What the parser's error codes mean; its own messages quote the text, which may hold a secret. */
const MEANINGS: Readonly<Record<string, string>> = {
  BAD_ALIAS: 'a text that begins with * must be quoted',
  BAD_INDENT: 'the indentation does not fit',
  BLOCK_IN_FLOW: 'the indentation does not fit the brackets around it',
  DUPLICATE_KEY: 'this option stands there twice',
  MISSING_CHAR: 'a quote, comma, bracket or colon is missing',
  MULTIPLE_DOCS: 'a file holds one document: remove the line ---',
  TAB_AS_INDENT: 'indent with blanks, not with tabs',
  TAG_RESOLVE_FAILED: 'a text that begins with ! must be quoted',
};

/** Parses YAML 1.2. Never throws: what is wrong is in `errors`. */
export function parseYaml(text: string, file: string): YamlSource {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'silent', merge: true });
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const found: readonly { code: string; offset: number }[] = [...document.errors, ...document.warnings].map(
    ({ code, pos }) => ({
      code,
      offset: pos[0],
    }),
  );
  const errors = [...found, ...danglingAliases(document)].map(
    ({ code, offset }) =>
      `${place(offset)}: ${MEANINGS[code] ?? 'not valid YAML here; quote texts with special characters'}`,
  );
  return {
    tree: errors.length === 0 ? (document.toJS({ maxAliasCount: 100 }) as unknown) : undefined,
    errors,
    locate(path) {
      const node: unknown = document.getIn(path, true);
      return isNode(node) && node.range ? place(node.range[0]) : null;
    },
  };
}

function danglingAliases(document: Document.Parsed): readonly { readonly code: string; readonly offset: number }[] {
  const found: { code: string; offset: number }[] = [];
  visit(document, {
    Alias(_, alias) {
      if (alias.resolve(document) === undefined) found.push({ code: 'BAD_ALIAS', offset: alias.range?.[0] ?? 0 });
    },
  });
  return found;
}
