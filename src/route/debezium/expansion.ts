import { arraySchema, type ConnectSchema, scalarSchema, structSchema } from './connect-schema.ts';
import { jacksonString, javaFloat } from './java-text.ts';
import { readJson, type JsonNode } from './json-reader.ts';

/** What becomes of members that are null: left out, or written. See `table.json.payload.null.behavior`. */
export type ExpandedNulls = 'omit' | 'keep';

/**
 * What Debezium infers of a JSON value before it expands it: the members of objects, and what the items of arrays have in
 * common. Objects in one array get the members of all of them.
 */
type Shape =
  | { readonly kind: 'string' | 'boolean' | 'int32' | 'int64' | 'float64' | 'null' }
  | { readonly kind: 'array'; readonly items: Shape }
  | {
      readonly kind: 'object';
      readonly members: ReadonlyMap<string, Shape>;
      /** Of the objects of an array; empty for one that stands by itself. */
      readonly parts: readonly Shape[];
    };

/** A payload that is expanded. */
export interface Expanded {
  readonly json: string;
  /** @param name of the payload's column, by which the schemas of objects are called */
  readonly schemaFor: (name: string) => ConnectSchema;
}

const SCALARS: Readonly<Record<Exclude<Shape['kind'], 'array' | 'object'>, ConnectSchema>> = {
  string: scalarSchema('string', { optional: true }),
  boolean: scalarSchema('boolean', { optional: true }),
  int32: scalarSchema('int32', { optional: true }),
  int64: scalarSchema('int64', { optional: true }),
  float64: scalarSchema('double', { optional: true }),
  null: scalarSchema('bytes', { optional: true }),
};

/** A payload that Debezium does not expand, but sends as the string that it is. */
class NotExpanded extends Error {}

const INT32 = 2n ** 31n;
const INT64 = 2n ** 63n;

/**
 * Writes a JSON payload as Debezium's `table.expand.json.payload` and Kafka Connect's JsonConverter do: without blanks, numbers
 * as Java writes them, empty arrays left out (their items have no type), and members that one object of an array lacks
 * as null.
 *
 * @returns null where Debezium gives up, too: no object or array, or an array of different kinds of items
 */
export function expandJson(text: string, nulls: ExpandedNulls): Expanded | null {
  if (!text.startsWith('{') && !text.startsWith('[')) return null;
  const node = readJson(text);
  if (node === null) return null;
  try {
    const shape = shapeOf(node, nulls);
    // an empty array at the top: Debezium loses the schema, and keeps the text
    if (shape === null) return { json: jacksonString(text), schemaFor: () => 'null' };
    return { json: print(node, shape), schemaFor: (name) => schemaOf(shape, name) };
  } catch (error) {
    if (error instanceof NotExpanded) return null;
    throw error;
  }
}

/** Null: nothing is known of it, and a member of that kind is left out. */
function shapeOf(node: JsonNode, nulls: ExpandedNulls): Shape | null {
  switch (node.kind) {
    case 'string':
    case 'boolean':
      return { kind: node.kind };
    case 'number':
      return { kind: numberKind(node.text) };
    case 'null':
      return nulls === 'keep' ? { kind: 'null' } : null;
    case 'array':
      return node.items.length === 0 ? null : { kind: 'array', items: itemShape(node.items, nulls) };
    case 'object':
      return { kind: 'object', members: memberShapes(node.members, nulls), parts: [] };
  }
}

function memberShapes(members: ReadonlyMap<string, JsonNode>, nulls: ExpandedNulls): ReadonlyMap<string, Shape> {
  const shapes = new Map<string, Shape>();
  for (const [name, value] of members) {
    const shape = shapeOf(value, nulls);
    if (shape === null) continue;
    // Kafka Connect has no field without a name
    if (name === '') throw new NotExpanded();
    shapes.set(name, shape);
  }
  return shapes;
}

function itemShape(items: readonly JsonNode[], nulls: ExpandedNulls): Shape {
  const values = items.filter(({ kind }) => kind !== 'null');
  const first = values[0] ?? { kind: 'null' };
  for (const value of values) {
    if (value.kind !== first.kind) throw new NotExpanded();
    if (value.kind === 'number' && first.kind === 'number' && numberKind(value.text) !== numberKind(first.text))
      throw new NotExpanded();
  }
  if (first.kind === 'object') return merged(values, nulls);
  const shape = shapeOf(first, nulls);
  if (shape === null) throw new NotExpanded();
  return shape;
}

function merged(values: readonly JsonNode[], nulls: ExpandedNulls): Shape {
  const members = new Map<string, Shape>();
  const parts = values.flatMap((value) => shapeOf(value, nulls) ?? []);
  for (const part of parts) {
    if (part.kind !== 'object') continue;
    for (const [name, shape] of part.members) {
      const known = members.get(name);
      if (known === undefined || (known.kind === 'null' && shape.kind !== 'null')) members.set(name, shape);
    }
  }
  return { kind: 'object', members, parts };
}

function numberKind(text: string): 'int32' | 'int64' | 'float64' {
  if (/[.eE]/.test(text)) return 'float64';
  const value = BigInt(text);
  if (value >= -INT32 && value < INT32) return 'int32';
  return value >= -INT64 && value < INT64 ? 'int64' : 'float64';
}

/** @param name null: inside an array of an array, where Debezium loses it */
function schemaOf(shape: Shape, name: string | null): ConnectSchema {
  if (shape.kind === 'array') {
    const named = shape.items.kind === 'object' ? name : null;
    return arraySchema(schemaOf(shape.items, named), { optional: true });
  }
  if (shape.kind !== 'object') return SCALARS[shape.kind];
  const prefix = name === null || name.trim() === '' ? '' : `${name}.`;
  const fields = [...shape.members].map(([member, inner]) => [member, schemaOf(inner, `${prefix}${member}`)] as const);
  // Debezium merges what differs, and then forgets that it is optional
  const variants = new Set(shape.parts.map((part) => schemaOf(part, name)));
  return structSchema(fields, { optional: variants.size <= 1, name });
}

function print(node: JsonNode, shape: Shape): string {
  switch (node.kind) {
    case 'string':
      return jacksonString(node.value);
    case 'boolean':
      return String(node.value);
    case 'null':
      return 'null';
    case 'number':
      return printNumber(node.text);
    case 'array': {
      const items = shape.kind === 'array' ? shape.items : shape;
      return `[${node.items.map((item) => print(item, items)).join(',')}]`;
    }
    case 'object':
      return printObject(node.members, shape);
  }
}

function printObject(members: ReadonlyMap<string, JsonNode>, shape: Shape): string {
  if (shape.kind !== 'object') return '{}';
  const printed = [...shape.members].map(([name, inner]) => {
    const value = members.get(name);
    return `${jacksonString(name)}:${value === undefined ? 'null' : print(value, inner)}`;
  });
  return `{${printed.join(',')}}`;
}

function printNumber(text: string): string {
  if (!/[.eE]/.test(text)) return text === '-0' ? '0' : text;
  const value = Number(text);
  if (!Number.isFinite(value)) return value > 0 ? '"Infinity"' : '"-Infinity"';
  return javaFloat(Object.is(value, -0) ? '-0' : String(value));
}
