import { RelayError } from '../core/errors.ts';
import type { Header } from '../core/message.ts';

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const LITERAL = /true|false|null/y;
const BLANKS = /[ \t\r\n]*/y;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;

/**
 * Reads the headers column: a flat JSON object. Strings become header values as they are, numbers and booleans as they
 * are written, nulls are left out; names keep their order, and one that stands twice is kept twice. An empty text, which a
 * column of type text may have, is no header.
 *
 * Not by `JSON.parse`, which would round integers above 2^53 and sort names that look like numbers to the front.
 *
 * @throws RelayError `route_headers` for anything else; never with a value in its message
 */
export function parseHeaders(text: string): readonly Header[] {
  return text === '' ? [] : new HeaderScanner(text).scan();
}

class HeaderScanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  scan(): readonly Header[] {
    const headers: Header[] = [];
    this.#skipBlanks();
    if (this.#take('{')) this.#members(headers);
    else if (this.#match(LITERAL) !== 'null') throw this.#fault('not a JSON object');
    this.#skipBlanks();
    if (this.#at < this.#text.length) throw this.#malformed();
    return headers;
  }

  #members(headers: Header[]): void {
    this.#skipBlanks();
    if (this.#take('}')) return;
    do {
      this.#skipBlanks();
      const name = this.#string();
      this.#skipBlanks();
      if (!this.#take(':')) throw this.#malformed();
      this.#skipBlanks();
      const value = this.#value(name);
      if (value !== null) headers.push([name, value]);
      this.#skipBlanks();
    } while (this.#take(','));
    if (!this.#take('}')) throw this.#malformed();
  }

  #value(name: string): string | null {
    const first = this.#text.charAt(this.#at);
    if (first === '"') return this.#string();
    if (first === '{' || first === '[') {
      throw this.#fault(`the value of '${name.slice(0, 100)}' is an ${first === '{' ? 'object' : 'array'}`);
    }
    const number = this.#match(NUMBER);
    if (number !== null) return number;
    const literal = this.#match(LITERAL);
    if (literal === null) throw this.#malformed();
    return literal === 'null' ? null : literal;
  }

  #string(): string {
    const text = this.#text;
    if (text.charCodeAt(this.#at) !== QUOTE) throw this.#malformed();
    const start = this.#at;
    let escaped = false;
    let end = start + 1;
    for (let code = text.charCodeAt(end); code !== QUOTE; code = text.charCodeAt(end)) {
      // NaN, past the end, is not at least a space either.
      if (!(code >= SPACE)) throw this.#malformed();
      escaped ||= code === BACKSLASH;
      end += code === BACKSLASH ? 2 : 1;
    }
    this.#at = end + 1;
    return escaped ? this.#unescape(text.slice(start, end + 1)) : text.slice(start + 1, end);
  }

  #unescape(quoted: string): string {
    try {
      return String(JSON.parse(quoted));
    } catch {
      throw this.#malformed();
    }
  }

  #skipBlanks(): void {
    if (this.#text.charCodeAt(this.#at) <= SPACE) this.#match(BLANKS);
  }

  #take(character: string): boolean {
    if (this.#text.charAt(this.#at) !== character) return false;
    this.#at++;
    return true;
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? null;
    if (found !== null) this.#at += found.length;
    return found;
  }

  #malformed(): RelayError {
    return this.#fault(`malformed JSON at character ${this.#at + 1}`);
  }

  #fault(what: string): RelayError {
    return new RelayError('route_headers', `the headers column: ${what}`);
  }
}
