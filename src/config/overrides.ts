import { environmentName, isOverrideName } from './environment-name.ts';
import { optionReference } from './reference.ts';
import { didYouMean } from '../core/suggest.ts';

/** An option that the environment sets. */
export interface Override {
  readonly path: readonly string[];
  readonly variable: string;
  readonly value: string;
}

/** Read by the command line, which looks for the file there. */
const OTHER_VARIABLES = [environmentName(['config'])];

/** What Kubernetes sets in every container beside a Service named outbox-relay; none of ours. */
const SERVICE_LINK = /(?:_SERVICE_(?:HOST|PORT)(?:_.*)?|_PORT(?:_[0-9]+_(?:TCP|UDP|SCTP).*)?)$/;

/**
 * The overrides that the environment holds, and a warning for each variable that looks like one and is none. An empty
 * variable counts as not set.
 */
export function readOverrides(env: Readonly<Record<string, string | undefined>>): {
  readonly overrides: readonly Override[];
  readonly warnings: readonly string[];
} {
  const options = new Map<string, readonly string[]>();
  for (const { environment, path } of optionReference().flatMap((section) => section.options)) {
    if (environment !== null) options.set(environment, path);
  }
  const overrides: Override[] = [];
  const warnings: string[] = [];
  for (const [variable, value] of Object.entries(env)) {
    if (!isOverrideName(variable) || value === undefined || value === '') continue;
    const path = options.get(variable);
    if (path !== undefined) overrides.push({ path, variable, value });
    else if (!OTHER_VARIABLES.includes(variable) && !SERVICE_LINK.test(variable)) {
      warnings.push(unknownVariable(variable, options.keys()));
    }
  }
  return { overrides, warnings };
}

function unknownVariable(variable: string, known: Iterable<string>): string {
  const near = didYouMean(variable, known);
  return `environment variable ${variable} sets no option${near === null ? '' : `: did you mean ${near}?`}`;
}

/** A copy of the tree with one option set. A section that is not one is left for validation to complain about. */
export function withOption(tree: unknown, [key, ...rest]: readonly string[], value: string): unknown {
  if (key === undefined) return value;
  if (tree !== undefined && tree !== null && (typeof tree !== 'object' || Array.isArray(tree))) return tree;
  const section = (tree ?? {}) as Readonly<Record<string, unknown>>;
  return { ...section, [key]: withOption(section[key], rest, value) };
}
