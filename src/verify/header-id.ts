const WITH_SCHEMA = /^\{"schema":\{.*\},"payload":(.*)\}$/s;
const QUOTED = /^".*"$/s;

/**
 * The id as the row has it, of the header `id`: a route with a `debezium` section may send it in quotes, and with its schema.
 *
 * @returns null: a message without the header
 */
export function idInHeader(header: string | null): string | null {
  if (header === null) return null;
  const id = WITH_SCHEMA.exec(header)?.[1] ?? header;
  return QUOTED.test(id) ? id.slice(1, -1) : id;
}
