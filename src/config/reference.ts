import { defaultOf, inputSchema, isNullable, withoutNull, type SchemaNode } from './json-schema.ts';
import { environmentName } from './environment-name.ts';

/** One option, for the options page and for overrides from the environment. */
export interface OptionReference {
  /** Keys from the top; `NAME` stands for a name of one's own, `[]` for an entry of a list. */
  readonly path: readonly string[];
  /** How it is written: `duration, 10ms to 1h`. */
  readonly type: string;
  /** As it is written in YAML; null when there is none. */
  readonly default: string | null;
  readonly required: boolean;
  readonly description: string;
  readonly secret: boolean;
  /** The environment variable that overrides it; null for options of destinations and routes, and for lists. */
  readonly environment: string | null;
}

/** A section with its options, in the order of the schema; `destinations` has one for each type. */
export interface SectionReference {
  /** E.g. `capture`, `destinations.NAME (kafka)`, `routes[]`. */
  readonly title: string;
  readonly description: string;
  readonly options: readonly OptionReference[];
}

/** All options by section, from the schema. */
export function optionReference(): readonly SectionReference[] {
  const root = inputSchema();
  return Object.entries(root.properties ?? {}).flatMap(([name, node]) => sections(name, node));
}

function sections(name: string, node: SchemaNode): readonly SectionReference[] {
  const description = node.description ?? '';
  if (node.items !== undefined) {
    return [{ title: `${name}[]`, description, options: optionsOf(node.items, [name, '[]']) }];
  }
  const entries = typeof node.additionalProperties === 'object' ? alternatives(node.additionalProperties) : [];
  if (entries.length > 0) {
    return entries.map((entry) => ({
      title: `${name}.NAME (${entry.properties?.type?.const ?? name})`,
      description: entry.description ?? description,
      options: optionsOf(entry, [name, 'NAME']),
    }));
  }
  if (node.properties === undefined) return [{ title: name, description, options: [option([name], node, false)] }];
  return [{ title: name, description, options: optionsOf(node, [name]) }];
}

const alternatives = (node: SchemaNode): readonly SchemaNode[] => node.oneOf ?? node.anyOf ?? [];

function optionsOf(node: SchemaNode, path: readonly string[]): readonly OptionReference[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, child]) => {
    const at = [...path, name];
    const self = option(at, child, node.required?.includes(name) === true);
    const inner = withoutNull(child);
    if (inner.properties !== undefined) {
      return [...(isNullable(child) ? [self] : []), ...optionsOf(inner, at)];
    }
    if (inner.items?.properties !== undefined) return [self, ...optionsOf(inner.items, [...at, '[]'])];
    return [self];
  });
}

function option(path: readonly string[], node: SchemaNode, required: boolean): OptionReference {
  const inner = withoutNull(node);
  const fallback = defaultOf(node);
  const overridable =
    inner.kind !== undefined && inner.kind !== 'list' && path.every((key) => !['destinations', 'routes'].includes(key));
  return {
    path,
    type: typeName(inner) + (isNullable(node) ? ' or null' : ''),
    default: fallback === undefined || isEmpty(fallback) ? null : printed(fallback),
    required,
    description: node.description ?? '',
    secret: inner.secret === true,
    environment: overridable ? environmentName(path) : null,
  };
}

function typeName(node: SchemaNode): string {
  if (node.const !== undefined) return `\`${node.const}\``;
  if (node.kind === 'choice') return (node.enum ?? []).map((word) => `\`${word}\``).join(', ');
  if (node.kind !== undefined) return node.range === undefined ? node.kind : `${node.kind}, ${node.range}`;
  if (node.items !== undefined) return 'list';
  if (node.properties !== undefined) return 'section';
  return 'map';
}

const isEmpty = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.keys(value).length === 0;

const printed = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
