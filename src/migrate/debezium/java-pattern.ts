import { escapeTemplate } from '../../core/template.ts';

/** A pattern that takes everything as its only group, as Debezium's default `(?<routedByValue>.*)`. */
const EVERYTHING = /^\((?:\?<([A-Za-z][A-Za-z0-9]*)>)?\.\*\)$/;
/** What JavaScript does not have, or reads otherwise; lazy quantifiers, since Java replaces only what they find first. */
const FOREIGN = /\\[QEAzZGhHR]|\(\?[>imsxudU-]|[*+?}]\+|[*+?}]\?|&&|\\[pP]\{|\[\[|\(\?<[=!]/;
const GROUP = /\\(.)|\$\{([A-Za-z][A-Za-z0-9]*)\}|\$(\d)|([^\\$]+|[\\$])/gs;

/** Where events go by `route.by.field`, `route.topic.regex` and `route.topic.replacement`. */
export interface TopicRule {
  /** A template of the relay. */
  readonly topic: string;
  readonly rewrite: { readonly pattern: string; readonly replacement: string } | null;
}

/** Null: the pattern cannot be said here. @param column of `route.by.field`, as templates name it */
export function topicRule(column: string, regex: string, replacement: string): TopicRule | null {
  const placeholder = `\${${column}}`;
  const pieces = [...replacement.matchAll(GROUP)];
  const [all, name] = EVERYTHING.exec(regex) ?? [];
  if (all !== undefined && pieces.every(([, , named]) => named === undefined || named === name)) {
    const topic = pieces.map(([, escaped, named, at, literal]) =>
      named !== undefined || at !== undefined ? placeholder : escapeTemplate(escaped ?? literal ?? ''),
    );
    return { topic: topic.join(''), rewrite: null };
  }
  if (FOREIGN.test(regex)) return null;
  // in JavaScript only characters with a meaning may be escaped
  const pattern = regex.replace(/\\([-_ :;,@#%&=<>'"`~!])/g, '$1');
  try {
    new RegExp(pattern, 'u');
  } catch {
    return null;
  }
  const rewritten = pieces.map(([, escaped, named, at, literal]) => {
    if (named !== undefined) return `$<${named}>`;
    if (at !== undefined) return at === '0' ? '$&' : `$${at}`;
    return (escaped ?? literal ?? '').replaceAll('$', '$$$$');
  });
  return { topic: placeholder, rewrite: { pattern, replacement: rewritten.join('') } };
}
