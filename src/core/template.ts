/** A piece of a template: literal text, or the column whose value stands there. */
export type TemplatePart = string | { readonly column: string };

/** A parsed template: its pieces in order. Two literals never stand side by side; an empty text has no pieces. */
export type TemplateParts = readonly TemplatePart[];

const OPEN = '${';
const ESCAPED_OPEN = '$${';

/**
 * Parses a route template: `${column}` stands for a column's value, `$${` for a literal `${`, all else for itself.
 *
 * @throws RangeError with the position (counted from 1) when a placeholder is not closed, empty or malformed
 */
export function parseTemplate(text: string): TemplateParts {
  const parts: TemplatePart[] = [];
  let literal = '';
  let at = 0;
  while (at < text.length) {
    if (text.startsWith(ESCAPED_OPEN, at)) {
      literal += OPEN;
      at += ESCAPED_OPEN.length;
    } else if (text.startsWith(OPEN, at)) {
      const column = placeholderAt(text, at);
      if (literal !== '') parts.push(literal);
      literal = '';
      parts.push({ column });
      at += OPEN.length + column.length + 1;
    } else {
      literal += text.charAt(at);
      at++;
    }
  }
  if (literal !== '') parts.push(literal);
  return parts;
}

/** What a template stands for; null when that depends on the row. */
export function constantText(template: string): string | null {
  const parts = parseTemplate(template);
  return parts.every((part) => typeof part === 'string') ? parts.join('') : null;
}

/** Turns any text into a template that stands for exactly that text. */
export function escapeTemplate(text: string): string {
  return text.split(OPEN).join(ESCAPED_OPEN);
}

/** The column name inside the placeholder that opens at `start`. */
function placeholderAt(text: string, start: number): string {
  const from = start + OPEN.length;
  const end = text.indexOf('}', from);
  const where = `at position ${start + 1}`;
  if (end < 0) throw new RangeError(`the placeholder ${where} is not closed: '}' is missing`);
  const column = text.slice(from, end);
  if (column === '')
    throw new RangeError(`the placeholder ${where} is empty: write a column's name, as in \${aggregatetype}`);
  if (column.trim() !== column) {
    throw new RangeError(`the placeholder ${where} has blanks around its name: write \${${column.trim()}}`);
  }
  if (/[{$:\r\n]/.test(column)) {
    throw new RangeError(`the placeholder ${where} is not a column name: '${column}' (a literal \${ is written $\${)`);
  }
  return column;
}
