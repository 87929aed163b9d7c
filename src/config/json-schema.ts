import { z } from 'zod';
import { configSchema } from './schema/config.ts';
import type { OptionMeta } from './schema/scalars.ts';

/** A node of the JSON schema that zod makes, with the facts of {@link OptionMeta}. */
export interface SchemaNode extends Partial<OptionMeta> {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: string;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: SchemaNode | boolean;
  readonly propertyNames?: SchemaNode;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
  readonly oneOf?: readonly SchemaNode[];
  readonly minItems?: number;
}

/** The schema of what is written in the file, as zod tells it. */
export function inputSchema(): SchemaNode {
  return z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' }) as SchemaNode;
}

/** What holds where the option is left out, as it is written. */
export function defaultOf(node: SchemaNode): unknown {
  return node.default ?? node.fallback ?? node.default;
}

/** Whether null may be written. */
export function isNullable({ type, anyOf }: SchemaNode): boolean {
  return (Array.isArray(type) && type.includes('null')) || anyOf?.some((branch) => branch.type === 'null') === true;
}

/** The node without its null: what else may be written, with the outer description and default. */
export function withoutNull(node: SchemaNode): SchemaNode {
  const { type, anyOf, ...outer } = node;
  if (typeof type === 'object') {
    const [only = 'null', ...more] = type.filter((name) => name !== 'null');
    return { ...node, type: more.length === 0 ? only : [only, ...more] };
  }
  const others = anyOf?.filter((branch) => branch.type !== 'null') ?? [];
  if (others.length === (anyOf?.length ?? 0)) return node;
  return others.length === 1 ? { ...others[0], ...outer } : { ...outer, anyOf: others };
}

/** The JSON schema for editors (`config/outbox-relay.schema.json`). Placeholders such as `${PORT}` are accepted for every scalar. */
export function configJsonSchema(): Record<string, unknown> {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Configuration of outbox-relay',
    ...forEditors(inputSchema()),
    $defs: {
      placeholder: {
        description: 'A value from the environment or a file: ${NAME}, ${NAME:-default}, ${file:/path}.',
        type: 'string',
        pattern: '\\$\\{[^}]+\\}',
      },
    },
  };
}

const PLACEHOLDER = { $ref: '#/$defs/placeholder' };

function forEditors(node: SchemaNode): Record<string, unknown> {
  const nullable = isNullable(node);
  const fallback = defaultOf(node);
  const inner = withoutNull(node);
  const description = inner.description;
  const form = inner.kind === undefined ? structure(inner) : scalar(inner);
  const strict = inner.kind !== undefined && (form.type !== 'string' || 'pattern' in form || 'enum' in form);
  const branches = [form, ...(strict ? [PLACEHOLDER] : []), ...(nullable ? [{ type: 'null' }] : [])];
  return {
    ...(description !== undefined && { description }),
    ...(isWorthTelling(fallback) && { default: fallback }),
    ...(branches.length === 1 ? form : { anyOf: branches }),
  };
}

function scalar({ kind, enum: words, pattern, minimum, maximum, anyOf }: SchemaNode): Record<string, unknown> {
  switch (kind) {
    case 'integer':
    case 'number':
      return { type: kind, minimum, maximum };
    case 'boolean':
      return { type: 'boolean' };
    case 'choice':
      return { type: 'string', enum: words };
    case 'list':
      return { anyOf };
    default:
      return { type: 'string', ...(pattern !== undefined && { pattern }) };
  }
}

/** Keywords that are passed on as they are. */
const KEPT = ['type', 'const', 'required', 'propertyNames', 'minItems'] as const;

/** Sections, lists and alternatives, with everything inside rewritten. */
function structure(node: SchemaNode): Record<string, unknown> {
  const { properties, items, anyOf, oneOf, additionalProperties } = node;
  const each = (nodes: readonly SchemaNode[]) => nodes.map(forEditors);
  return {
    ...Object.fromEntries(KEPT.flatMap((keyword) => (node[keyword] === undefined ? [] : [[keyword, node[keyword]]]))),
    ...(properties && {
      properties: Object.fromEntries(Object.entries(properties).map(([name, child]) => [name, forEditors(child)])),
    }),
    ...(items && { items: forEditors(items) }),
    ...(anyOf && { anyOf: each(anyOf) }),
    ...(oneOf && { oneOf: each(oneOf) }),
    ...(additionalProperties !== undefined && {
      additionalProperties:
        typeof additionalProperties === 'boolean' ? additionalProperties : forEditors(additionalProperties),
    }),
  };
}

function isWorthTelling(fallback: unknown): boolean {
  return fallback !== undefined && (typeof fallback !== 'object' || fallback === null);
}
