/** A JSON value with what `JSON.parse` loses: the order of all members, and numbers as they are written. */
export type JsonNode =
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'null' }
  | { readonly kind: 'array'; readonly items: readonly JsonNode[] }
  | { readonly kind: 'object'; readonly members: ReadonlyMap<string, JsonNode> };

/** As deep as Jackson reads by default; deeper documents are refused. */
const DEPTH = 1000;
const BLANKS = /[ \t\r\n]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const NULL: JsonNode = { kind: 'null' };
const TRUE: JsonNode = { kind: 'boolean', value: true };
const FALSE: JsonNode = { kind: 'boolean', value: false };

/**
 * Reads the first JSON value of a text as Jackson does: of members with the same name the last holds, in the place of the
 * first, and what follows the value is not looked at.
 *
 * @returns null when there is none, or it is nested too deeply
 */
export function readJson(text: string): JsonNode | null {
  try {
    return new JsonReader(text).value(0);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

class JsonReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(depth: number): JsonNode {
    if (depth > DEPTH) throw new SyntaxError('nested too deeply');
    this.#skipBlanks();
    switch (this.#text.charAt(this.#at)) {
      case '{':
        return { kind: 'object', members: this.#members(depth) };
      case '[':
        return { kind: 'array', items: this.#items(depth) };
      case '"':
        return { kind: 'string', value: this.#string() };
      case 't':
        return this.#literal('true', TRUE);
      case 'f':
        return this.#literal('false', FALSE);
      case 'n':
        return this.#literal('null', NULL);
      default:
        return { kind: 'number', text: this.#match(NUMBER) };
    }
  }

  #members(depth: number): ReadonlyMap<string, JsonNode> {
    const members = new Map<string, JsonNode>();
    this.#at++;
    if (this.#takes('}')) return members;
    do {
      this.#skipBlanks();
      const name = this.#string();
      if (!this.#takes(':')) throw new SyntaxError('a colon is missing');
      members.set(name, this.value(depth + 1));
    } while (this.#takes(','));
    if (!this.#takes('}')) throw new SyntaxError('an object is not closed');
    return members;
  }

  #items(depth: number): readonly JsonNode[] {
    const items: JsonNode[] = [];
    this.#at++;
    if (this.#takes(']')) return items;
    do items.push(this.value(depth + 1));
    while (this.#takes(','));
    if (!this.#takes(']')) throw new SyntaxError('an array is not closed');
    return items;
  }

  /** Not by a pattern: these need room for each character of a long text. */
  #string(): string {
    const text = this.#text;
    const start = this.#at;
    if (text.charCodeAt(start) !== QUOTE) throw new SyntaxError('a string is missing');
    let escaped = false;
    let end = start + 1;
    for (let code = text.charCodeAt(end); code !== QUOTE; code = text.charCodeAt(end)) {
      // NaN, past the end, is not at least a space either.
      if (!(code >= SPACE)) throw new SyntaxError('a string is not closed');
      escaped ||= code === BACKSLASH;
      end += code === BACKSLASH ? 2 : 1;
    }
    this.#at = end + 1;
    return escaped ? String(JSON.parse(text.slice(start, end + 1))) : text.slice(start + 1, end);
  }

  #literal(word: string, node: JsonNode): JsonNode {
    if (!this.#text.startsWith(word, this.#at)) throw new SyntaxError('not a JSON value');
    this.#at += word.length;
    return node;
  }

  #takes(character: string): boolean {
    this.#skipBlanks();
    if (this.#text.charAt(this.#at) !== character) return false;
    this.#at++;
    return true;
  }

  #skipBlanks(): void {
    this.#match(BLANKS);
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found === undefined) throw new SyntaxError('not a JSON value');
    this.#at += found.length;
    return found;
  }
}
