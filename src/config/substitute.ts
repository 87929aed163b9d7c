import { escapeTemplate } from '../core/template.ts';
import type { OptionPath, Problems } from './problems.ts';

/** Where placeholders get their values. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Reads a file as UTF-8; throws as `fs.readFileSync` does. */
  readonly readFile: (path: string) => string;
}

/**
 * What `${name}` means in a text: an environment variable (`value`), or a column, so that only `${env:NAME}` and
 * `${file:/path}` are replaced (`template`, and `plain` where nothing is escaped).
 */
type Mode = 'value' | 'template' | 'plain';

const PLACEHOLDER = /\$\$\{|\$\{([^}]*)\}|\$\{/g;
const VARIABLE = /^(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s;
const TEMPLATES = new Set<string | number>([
  'topic',
  'exchange',
  'routingKey',
  'key',
  'partition',
  'headers',
  'cloudEvents',
  'deadLetter',
]);

/** Replaces `${VAR}`, `${VAR:-default}`, `${env:VAR}` and `${file:/path}` in all texts of a tree; `$${` is a literal `${`. */
export function substituteTree(tree: unknown, surroundings: Surroundings, problems: Problems): unknown {
  const walk = (node: unknown, path: OptionPath): unknown => {
    if (typeof node === 'string') {
      return substitute(node, modeAt(path), surroundings, (message) => problems.add(path, message));
    }
    if (Array.isArray(node)) return node.map((item, index) => walk(item, [...path, index]));
    if (typeof node !== 'object' || node === null) return node;
    return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, walk(value, [...path, key])]));
  };
  return walk(tree, []);
}

function modeAt([section, , option, inner]: OptionPath): Mode {
  if (section !== 'routes' || option === undefined) return 'value';
  if (option === 'match') return 'plain';
  if (option === 'debezium') return inner === 'envelopeSchema' ? 'template' : 'value';
  return TEMPLATES.has(option) ? 'template' : 'value';
}

/**
 * Replaces the placeholders of one text. One that cannot be replaced is told to `report` and left as it is.
 *
 * @param report is told what to mend; never a value
 */
export function substitute(
  text: string,
  mode: Mode,
  surroundings: Surroundings,
  report: (message: string) => void,
): string {
  return text.replace(PLACEHOLDER, (placeholder, inner: string | undefined) => {
    if (mode !== 'value' && (inner === undefined || !/^(?:env|file):/.test(inner))) return placeholder;
    if (placeholder === '$${') return '${';
    try {
      const value = resolve(inner, surroundings);
      return mode === 'template' ? escapeTemplate(value) : value;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      report(error.message);
      return placeholder;
    }
  });
}

function resolve(inner: string | undefined, { env, readFile }: Surroundings): string {
  if (inner === undefined)
    throw new RangeError("a placeholder is not closed: '}' is missing (a literal ${ is written $${)");
  if (inner.startsWith('file:')) return contentOf(inner.slice('file:'.length), readFile);
  const match = VARIABLE.exec(inner);
  const name = match?.[1];
  if (name === undefined) {
    throw new RangeError('expected ${NAME}, ${NAME:-default} or ${file:/path} (a literal ${ is written $${)');
  }
  const value = Object.hasOwn(env, name) ? env[name] : undefined;
  const fallback = match?.[2];
  if (fallback !== undefined) return value === undefined || value === '' ? fallback : value;
  if (value === undefined) {
    throw new RangeError(
      `environment variable ${name} is not set: set it, or give a default as in \${${name}:-default}`,
    );
  }
  return value;
}

/**
 * A secret's file, without the newline that editors and `echo` leave at its end.
 *
 * @throws RangeError when it cannot be read
 */
export function contentOf(path: string, readFile: Surroundings['readFile']): string {
  try {
    return readFile(path).replace(/\r?\n$/, '');
  } catch (error) {
    throw new RangeError(`cannot read ${path} (${systemCode(error)})`, { cause: error });
  }
}

/** `ENOENT` and the like: why a file cannot be read. */
export function systemCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unreadable';
}
