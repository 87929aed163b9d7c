import { describe, expect, it } from 'vitest';
import { fixedAddresses, tableMapping } from '../../src/app/routes.ts';
import { loadConfig } from '../../src/config/load.ts';

function configured(routes: string, rest = '') {
  const yaml = `
postgres: { url: postgres://relay@localhost/shop }
destinations:
  k: { type: kafka, brokers: localhost:9092 }
  r: { type: rabbitmq, url: amqp://localhost }
routes:
${routes}
${rest}`;
  return loadConfig({ file: 'relay.yaml', env: {}, readFile: () => yaml });
}

describe('the addresses that are known before any row', () => {
  it('are topics without columns, with escapes resolved, dead letters included', () => {
    const config = configured(`
  - { match: { type: A }, destination: k, topic: 'a$\${b}', onError: dead-letter, deadLetter: { topic: dead } }
  - { destination: k, topic: 'events.\${aggregatetype}' }`);
    expect(fixedAddresses(config, 'k')).toEqual([
      { kind: 'topic', topic: 'a${b}' },
      { kind: 'topic', topic: 'dead' },
    ]);
    expect(fixedAddresses(config, 'r')).toEqual([]);
  });

  it('are exchanges by their name alone, so that what is behind them is examined whatever the routing keys', () => {
    const config = configured(`
  - { match: { type: A }, destination: r, exchange: events, routingKey: '\${type}' }
  - { match: { type: B }, destination: r, exchange: '\${aggregatetype}', routingKey: x }
  - { match: { type: C }, destination: r, exchange: '', routingKey: '\${type}' }
  - { destination: r, exchange: '', routingKey: queue }`);
    expect(fixedAddresses(config, 'r')).toEqual([
      { kind: 'exchange', exchange: 'events', routingKey: '${type}' },
      { kind: 'exchange', exchange: '', routingKey: 'queue' },
    ]);
  });
});

describe('the columns that are read', () => {
  const extra = (tracing: string) =>
    tableMapping(configured("  - { match: { shop: '1' }, destination: k }\n  - { destination: r }", tracing)).extra;

  it('are those of the routes, and the one that carries traces while these are on', () => {
    const own = extra('');
    expect(own).toContain('shop');
    expect(extra('tracing: { enabled: true, column: trace }')).toEqual([...own, 'trace']);
    expect(extra('tracing: { enabled: true, column: shop }')).toEqual(own);
    expect(extra('tracing: { enabled: true }')).toEqual(own);
    expect(extra('tracing: { column: trace }')).toEqual(own);
  });
});
