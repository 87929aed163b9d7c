import { describeError, RelayError } from '../core/errors.ts';

const SECRET_NAME = /pass(word|wd|phrase)|secret|token|credential|authorization|private_?key/i;
const URL_PASSWORD = /\b([a-z][a-z0-9+.-]*:\/\/[^\s:@/]*):[^\s/]*@/gi;
const ASSIGNED_SECRET = /\b(password|passwd|passphrase|secret|token)=("[^"]*"|'[^']*'|[^\s&]+)/gi;
const AUTHORIZATION = /\b(bearer|basic) +[a-z0-9._~+/-]+=*/gi;
/** In JSON, whole or quoted once more. */
const JSON_SECRET = /(\\?"[a-z_]*(?:password|passphrase|secret|token)\\?" *: *)\\?"(?:[^"\\]|\\.)*"/gi;
const HIDDEN = '***';
const MAX_DEPTH = 6;

/** Takes secrets out of a text: in URLs, in headers, and where they are assigned (`password=..`, `"token":".."`). */
export function redactText(text: string): string {
  return text
    .replace(URL_PASSWORD, `$1:${HIDDEN}@`)
    .replace(ASSIGNED_SECRET, `$1=${HIDDEN}`)
    .replace(AUTHORIZATION, (whole, scheme: string) => (isWord(whole) ? whole : `${scheme} ${HIDDEN}`))
    .replace(JSON_SECRET, `$1"${HIDDEN}"`);
}

/** `basic authentication`, `bearer token`: a scheme and a word, no credentials. */
function isWord(text: string): boolean {
  return /^\w+ +[a-z]{1,14}$/.test(text);
}

/**
 * Makes a value fit for a log line: secrets hidden by their names, passwords taken out of texts, bytes counted instead
 * of shown (they may be a payload), errors as code, message and remedy, bigints as texts.
 */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Error) return errorFields(value);
  if (value instanceof Date) return value;
  if (ArrayBuffer.isView(value)) return `(${value.byteLength} bytes)`;
  if (depth >= MAX_DEPTH) return '(nested too deep)';
  if (Array.isArray(value)) return value.map((each) => redact(each, depth + 1));
  return redactFields(value, depth + 1);
}

/** {@link redact} for the fields of a log line. */
export function redactFields(fields: object, depth = 0): Record<string, unknown> {
  const entries = Object.entries(fields).map(([name, value]): [string, unknown] => [
    name,
    SECRET_NAME.test(name) && value !== null && value !== undefined ? HIDDEN : redact(value, depth),
  ]);
  return Object.fromEntries(entries);
}

/** Stacks only where they help: for errors that nobody foresaw. */
function errorFields(error: Error): Record<string, unknown> {
  const message = redactText(describeError(error));
  const unforeseen = !(error instanceof RelayError) || error.code === 'internal';
  return {
    ...(error instanceof RelayError ? { code: error.code, remedy: redactText(error.remedy) } : {}),
    message,
    ...(unforeseen && error.stack !== undefined ? { stack: redactText(error.stack) } : {}),
  };
}
