import { readFileSync } from 'node:fs';
import { configJsonSchema } from '../../src/config/index.ts';

const PORT = { type: 'integer', minimum: 1, maximum: 65535 };

/** The chart has to know these ports as it is rendered: no placeholder, and not any free one. */
const FIXED_PORTS = {
  properties: { admin: { properties: { port: PORT, grpc: { properties: { port: PORT } } } } },
};

/**
 * `helm/outbox-relay/values.schema.json`: as it is, with the schema of the relay's configuration for `config`, so that a misspelt
 * option is refused before anything is installed. Nothing is required of it: it may be in an `existingConfig`.
 */
export function valuesSchemaFile(path: string): string {
  const values = JSON.parse(readFileSync(path, 'utf8')) as { readonly properties: object };
  const { $defs, properties } = configJsonSchema();
  const config = {
    description: 'The configuration of the relay: docs/options.md. `outbox-relay config validate` knows more of it.',
    type: 'object',
    additionalProperties: false,
    properties,
    allOf: [FIXED_PORTS],
  };
  return `${JSON.stringify({ ...values, properties: { ...values.properties, config }, $defs }, null, 2)}\n`;
}
