/**
 * Standard Schema, version 1 (https://standardschema.dev): what zod, valibot, arktype and others offer to those who only want to
 * validate. Its types are meant to be copied, so that nobody depends on a package for them; here is the part that is used.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => ValidationResult<Output> | Promise<ValidationResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** The value, perhaps changed by the schema (defaults, transformations), or what is wrong with it. */
export type ValidationResult<Output> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly SchemaIssue[] };

/** One fault that a schema found. */
export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

const PLAIN_NAME = /^[A-Za-z_$][\w$]*$/;

/** Where a fault is, as one would write it: `payload.lines[0].sku`. */
export function issuePath(root: string, { path = [] }: SchemaIssue): string {
  return path.reduce<string>((text, segment) => {
    const key = typeof segment === 'object' ? segment.key : segment;
    if (typeof key === 'number') return `${text}[${key}]`;
    const name = String(key);
    return PLAIN_NAME.test(name) ? `${text}.${name}` : `${text}[${JSON.stringify(name)}]`;
  }, root);
}
