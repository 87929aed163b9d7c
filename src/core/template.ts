/** A piece of a template: literal text, or what of the row stands there. */
export type TemplatePart = string | TemplateReference;

/** A column whose value stands in a template, or of the headers column the value of one header. */
export interface TemplateReference {
  readonly column: string;
  /** The header's name, in `${headers.NAME}`; null: the column as it is. */
  readonly header: string | null;
}

/** A parsed template: its pieces in order. Two literals never stand side by side; an empty text has no pieces. */
export type TemplateParts = readonly TemplatePart[];

const OPEN = '${';
const ESCAPED_OPEN = '$${';
const HEADERS = 'headers';
const HEADER_PREFIX = `${HEADERS}.`;

/**
 * Parses a route template: `${column}` stands for a column's value, `${headers.NAME}` for that of a header in the headers
 * column, `$${` for a literal `${`, all else for itself.
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
      const inner = placeholderAt(text, at);
      if (literal !== '') parts.push(literal);
      literal = '';
      parts.push(referenceOf(inner));
      at += OPEN.length + inner.length + 1;
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

/** How a reference is written, without the braces. */
export function referenceName({ column, header }: TemplateReference): string {
  return header === null ? column : `${column}.${header}`;
}

/** Whether what stands between the braces names a header: `headers.NAME`. */
export function isHeaderReference(name: string): boolean {
  return name.startsWith(HEADER_PREFIX) && name.length > HEADER_PREFIX.length;
}

function referenceOf(name: string): TemplateReference {
  return isHeaderReference(name)
    ? { column: HEADERS, header: name.slice(HEADER_PREFIX.length) }
    : { column: name, header: null };
}

/** The name inside the placeholder that opens at `start`. */
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
