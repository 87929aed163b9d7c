import { isAttributeText, toRfc3339 } from '../../core/cloudevents.ts';
import { RelayError } from '../../core/errors.ts';
import type { Header } from '../../core/message.ts';
import type { OutboxRow } from '../../core/row.ts';
import type { OutboxTable } from '../../core/table.ts';
import { contextIn, isHeader, TRACEPARENT } from '../../core/trace-propagation.ts';
import { isUri, isUriReference } from '../../core/uri.ts';
import type { RowColumn } from '../column.ts';
import { compileTemplate } from '../template.ts';
import type { CloudEventsSpec } from './spec.ts';

/** The value of an attribute: text, an integer or a boolean. */
export type AttributeValue = string | number | boolean;

/** What attributes are made from. */
export interface EventSource {
  readonly row: OutboxRow;
  /** Of the message, without those of CloudEvents. */
  readonly headers: readonly Header[];
  /** With the context of the trace that inserted the row, whatever the message's own `traceparent` will be. */
  readonly carried: readonly Header[];
}

/** An attribute, compiled. */
export interface Attribute {
  readonly name: string;
  /**
   * Its value; null: the event does not have it.
   *
   * @throws RelayError `route_template`, `route_cloudevent`
   */
  readonly read: (source: EventSource) => AttributeValue | null;
}

/**
 * Compiles the attributes of a route's events, `datacontenttype` aside, in the order in which they are written.
 *
 * @param where the option, for messages, e.g. `routes[2].cloudEvents`
 * @throws RelayError `config_invalid` for a template that is malformed or names a column that is not read
 */
export function compileAttributes(spec: CloudEventsSpec, table: OutboxTable, where: string): readonly Attribute[] {
  const optional = (name: string, template: string | null, check: Check): readonly Attribute[] =>
    template === null ? [] : [{ name, read: compileText(template, table, `${where}.${name}`, check) }];
  return [
    { name: 'specversion', read: () => '1.0' },
    { name: 'id', read: ({ row }) => checked(row.id, `${where}: the id`, text) },
    {
      name: 'source',
      read: required(compileText(spec.source, table, `${where}.source`, uriReference), `${where}.source`),
    },
    { name: 'type', read: required(compileText(spec.type, table, `${where}.type`, text), `${where}.type`) },
    ...optional('subject', spec.subject, text),
    ...optional('time', spec.time, timestamp),
    ...optional('dataschema', spec.dataschema, uri),
    ...Object.entries(spec.extensions).map(([name, value]) => ({
      name,
      read: typeof value === 'string' ? compileText(value, table, `${where}.extensions.${name}`, text) : () => value,
    })),
    ...Object.entries(spec.extensionHeaders).map(([name, header]) => ({
      name,
      read: fromHeader(header, `${where}.extensionHeaders.${name}`),
    })),
    ...(spec.traceContext ? TRACE_CONTEXT : []),
  ];
}

/** What a value must be beside a text without control characters. */
interface Check {
  readonly expected: string;
  readonly accepts: (text: string) => boolean;
  /** How it is written, where that is not as it comes; null: it cannot be. */
  readonly write?: (text: string) => string | null;
  /** Whether what columns put between other text is percent-encoded (RFC 6570, simple expansion). */
  readonly encodesColumns?: true;
}

const text: Check = { expected: 'text without control characters', accepts: () => true };
const uri: Check = { expected: 'a URI (RFC 3986)', accepts: isUri, encodesColumns: true };
const uriReference: Check = { expected: 'a URI-reference (RFC 3986)', accepts: isUriReference, encodesColumns: true };
const timestamp: Check = { expected: 'a timestamp that RFC 3339 can say', accepts: () => true, write: toRfc3339 };

/** An empty text is no attribute: those of CloudEvents itself must not be empty, and nobody could tell by another. */
function compileText(
  template: string,
  table: OutboxTable,
  where: string,
  check: Check,
): (source: EventSource) => string | null {
  const encodes = check.encodesColumns === true;
  const { constant, render } = compileTemplate(template, table, where, (column, among) =>
    among && encodes ? encoded(canonical(column)) : canonical(column),
  );
  if (constant !== null) {
    const value = constant === '' ? null : checkedConstant(constant, where, check);
    return () => value;
  }
  return ({ row }) => {
    const value = render(row);
    return value === null || value === '' ? null : checked(value, where, check);
  };
}

/** The text of a column's value as CloudEvents writes that type, whose canonical strings differ from what Postgres prints. */
function canonical({ column, read }: RowColumn): RowColumn['read'] {
  const written = (write: (printed: string) => string): RowColumn['read'] => {
    return (row) => {
      const printed = read(row);
      return printed === null ? null : write(printed);
    };
  };
  if (column.type === 'boolean') return written((printed) => (printed === 't' ? 'true' : 'false'));
  if (column.type === 'bytea') return written((hex) => Buffer.from(hex.slice(2), 'hex').toString('base64'));
  // What cannot be said so stays as it is: only `time` must be of that form.
  if (column.type.startsWith('timestamp')) return written((printed) => toRfc3339(printed) ?? printed);
  return read;
}

function encoded(read: RowColumn['read']): RowColumn['read'] {
  return (row) => {
    const value = read(row);
    return value === null ? null : encodeURIComponent(value);
  };
}

function checked(value: string, where: string, check: Check): string {
  const written = writtenAs(value, check);
  if (written !== null) return written;
  throw new RelayError('route_cloudevent', `${where} comes to something else than ${check.expected}`);
}

/** @throws RelayError `config_invalid` */
function checkedConstant(value: string, where: string, check: Check): string {
  const written = writtenAs(value, check);
  if (written !== null) return written;
  throw new RelayError('config_invalid', `${where}: expected ${check.expected}`);
}

/** Null: it cannot be the attribute's value. */
function writtenAs(value: string, { accepts, write }: Check): string | null {
  const written = write === undefined ? value : write(value);
  return written !== null && isAttributeText(written) && accepts(written) ? written : null;
}

function required(read: (source: EventSource) => string | null, where: string): (source: EventSource) => string {
  return (source) => {
    const value = read(source);
    if (value === null) throw new RelayError('route_cloudevent', `${where} comes to nothing, and no event is without`);
    return value;
  };
}

function fromHeader(header: string, where: string): Attribute['read'] {
  return ({ headers }) => {
    const value = headers.find(([name]) => name === header)?.[1] ?? '';
    return value === '' ? null : checked(value, where, text);
  };
}

/** Nothing that a trace carries is a row's fault: what is malformed is no attribute. */
const TRACE_CONTEXT: readonly Attribute[] = [
  {
    name: 'traceparent',
    read: ({ carried }) => {
      if (typeof contextIn(carried) === 'string') return null;
      return carried.find(([name]) => isHeader(name, TRACEPARENT))?.[1] ?? null;
    },
  },
  {
    name: 'tracestate',
    read: ({ carried }) => {
      const context = contextIn(carried);
      const state = typeof context === 'string' ? null : context.state;
      return state === null || state === '' || !isAttributeText(state) ? null : state;
    },
  },
];
