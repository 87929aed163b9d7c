import { RelayError } from '../core/errors.ts';
import type { Address } from '../core/message.ts';
import type { OutboxRow } from '../core/row.ts';
import type { OutboxTable } from '../core/table.ts';
import { compileRewrite, type RewriteSpec } from './rewrite.ts';
import type { AddressTemplate } from './spec.ts';
import { compileRequired } from './template.ts';

/** Addresses that are kept for reuse, so that rows of one topic share one object; beyond it the cache starts anew. */
const CACHED_ADDRESSES = 4096;
/** Longer names than any broker takes come from rows at fault; kept, they could be of any size. */
const CACHED_CHARACTERS = 511;

/**
 * Compiles where a message goes.
 *
 * @param where the option it stands in, e.g. `routes[2]`
 * @param rewrite of the topic, or the routing key
 * @returns a function that throws RelayError `route_template` for a row which cannot fill it in
 * @throws RelayError `config_invalid` for a template that cannot be used
 */
export function compileAddress(
  address: AddressTemplate,
  table: OutboxTable,
  where: string,
  rewrite: RewriteSpec | null = null,
): (row: OutboxRow) => Address {
  const rewritten = rewrite === null ? null : compileRewrite(rewrite, `${where}.rewrite`);
  const cache = new Map<string, Address>();
  if (address.kind === 'topic') {
    if (address.topic === '') throw new RelayError('config_invalid', `${where}.topic must not be empty`);
    const topicOf = withRewrite(compileRequired(address.topic, table, `${where}.topic`), rewritten);
    return (row) => {
      const topic = topicOf(row);
      return cache.get(topic) ?? remember(cache, topic, { kind: 'topic', topic });
    };
  }
  const exchangeOf = compileRequired(address.exchange, table, `${where}.exchange`);
  const routingKeyOf = withRewrite(compileRequired(address.routingKey, table, `${where}.routingKey`), rewritten);
  return (row) => {
    const exchange = exchangeOf(row);
    const routingKey = routingKeyOf(row);
    // Postgres has no NUL in its texts, so that it tells the two apart.
    const name = `${exchange}\0${routingKey}`;
    return cache.get(name) ?? remember(cache, name, { kind: 'exchange', exchange, routingKey });
  };
}

/** What is not rewritten costs nothing more. */
function withRewrite(
  textOf: (row: OutboxRow) => string,
  rewritten: ((text: string) => string) | null,
): (row: OutboxRow) => string {
  return rewritten === null ? textOf : (row) => rewritten(textOf(row));
}

function remember(cache: Map<string, Address>, name: string, address: Address): Address {
  if (name.length > CACHED_CHARACTERS) return address;
  if (cache.size >= CACHED_ADDRESSES) cache.clear();
  cache.set(name, address);
  return address;
}
