import { RelayError } from '../core/errors.ts';

/** Turns a topic, or a routing key, into another one where a pattern matches the whole of it. */
export interface RewriteSpec {
  /** A regular expression of JavaScript. */
  readonly pattern: string;
  /** What the text becomes: `$1` and `$<name>` stand for groups, `$$` for a dollar sign. */
  readonly replacement: string;
}

/** Names that brokers take are no longer; what is longer is left as it is, and refused by them. */
const LONGEST = 511;
/** Results that are kept; beyond it the cache starts anew. */
const CACHED = 4096;

/**
 * Compiles a rewrite. Each text is looked at once: rows repeat few topics.
 *
 * @param where the option it stands in, for messages
 * @throws RelayError `config_invalid` for a pattern that is none
 */
export function compileRewrite({ pattern, replacement }: RewriteSpec, where: string): (text: string) => string {
  const whole = compilePattern(pattern, where);
  const cache = new Map<string, string>();
  return (text) => {
    if (text.length > LONGEST) return text;
    const known = cache.get(text);
    if (known !== undefined) return known;
    const rewritten = text.replace(whole, replacement);
    if (cache.size >= CACHED) cache.clear();
    cache.set(text, rewritten);
    return rewritten;
  };
}

function compilePattern(pattern: string, where: string): RegExp {
  try {
    return new RegExp(`^(?:${pattern})$`, 'u');
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new RelayError('config_invalid', `${where}.pattern is not a regular expression`, { cause: error });
  }
}
