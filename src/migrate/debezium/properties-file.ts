const ENVIRONMENT_LINE = /^\s*(?:export\s+)?([A-Z][A-Z0-9_]*)=(.*)$/;
const PEM_BEGIN = '-----BEGIN ';
const PEM_END = '-----END ';
const NAMED_ESCAPES: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f' };

/**
 * Reads a file of Java properties: `name=value`, `name: value` or `name value`, comments by `#` and `!`, lines that go on
 * behind a backslash, escapes. A line `NAME=value` with a name in capitals is read as an environment file has it.
 *
 * @returns names with values in their order; the last of several with one name holds, as in Java
 */
export function readProperties(text: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const line of logicalLines(text)) {
    const variable = ENVIRONMENT_LINE.exec(line);
    const [name, value] = variable === null ? splitLine(line) : [variable[1] ?? '', unquoted(variable[2] ?? '')];
    found.delete(name);
    found.set(name, value);
  }
  return found;
}

/** Without blank lines and comments; those that go on in the next are joined. */
function logicalLines(text: string): readonly string[] {
  const lines: string[] = [];
  let begun = '';
  let withinPem = false;
  for (const natural of text.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/)) {
    const line = natural.replace(/^[ \t\f]+/, '');
    // of a key or certificate on several lines, none is a setting, whatever Java makes of it
    if (withinPem || line.startsWith(PEM_BEGIN)) {
      withinPem = !line.includes(PEM_END);
      continue;
    }
    if (begun === '' && (line === '' || /^[#!]/.test(line))) continue;
    const goesOn = /(?:^|[^\\])(?:\\\\)*\\$/.test(line) && !ENVIRONMENT_LINE.test(line);
    begun += goesOn ? line.slice(0, -1) : line;
    if (goesOn) continue;
    lines.push(begun);
    withinPem = begun.includes(PEM_BEGIN) && !begun.includes(PEM_END);
    begun = '';
  }
  return begun === '' ? lines : [...lines, begun];
}

function splitLine(line: string): readonly [name: string, value: string] {
  const [, name = '', value = ''] = /^((?:\\.|[^\\=: \t\f])*)[ \t\f]*(?:[=:][ \t\f]*)?(.*)$/s.exec(line) ?? [];
  return [unescape(name), unescape(value).trim()];
}

function unescape(text: string): string {
  return text.replace(/\\(?:u([0-9a-fA-F]{4})|(.))/gs, (_, code: string | undefined, character: string | undefined) =>
    code === undefined
      ? (NAMED_ESCAPES[character ?? ''] ?? character ?? '')
      : String.fromCharCode(Number.parseInt(code, 16)),
  );
}

function unquoted(text: string): string {
  const [, , inside] = /^\s*(["'])(.*)\1\s*$/s.exec(text) ?? [];
  return inside ?? text.trim();
}
