import { format, resolveConfig } from 'prettier';
import { configJsonSchema } from '../../src/config/index.ts';

/** `config/outbox-relay.schema.json`, laid out as the formatter wants it. */
export async function schemaFile(path: string): Promise<string> {
  const layout = await resolveConfig(path);
  return format(JSON.stringify(configJsonSchema()), { ...layout, filepath: path });
}
