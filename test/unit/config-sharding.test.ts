import { describe, expect, it } from 'vitest';
import { failure, load, MINIMAL } from './config-support.ts';

const route = (key: string): string => `  - { match: { type: ${key.length} }, destination: kafka, key: '${key}' }\n`;
const withKeys = (...keys: string[]): string =>
  `${MINIMAL}shards: 4\nroutes:\n${keys.map(route).join('')}  - { destination: kafka, key: null }\n`;

describe('shards', () => {
  it('are one by default, by no column', () => {
    expect(load(MINIMAL)).toMatchObject({ shards: 1, shardBy: null });
  });

  it('go by the column that is the key of all routes', () => {
    expect(load(`${MINIMAL}shards: 4\n`)).toMatchObject({ shards: 4, shardBy: 'aggregateid' });
    expect(load(withKeys('${customer}', 'customer-${customer}', '${customer}.v2')).shardBy).toBe('customer');
    expect(load(withKeys()).shardBy).toBe('aggregateid');
  });

  it('are refused for a key that does not tell one column', () => {
    for (const key of ['${aggregatetype}-${aggregateid}', '${customer}', 'all']) {
      const message = failure(withKeys('${aggregateid}', key));
      expect(message).toContain('routes[1].key (relay.yaml:6:');
      expect(message).toContain('is not made of ${aggregateid} alone');
    }
    expect(failure(withKeys('${id}'))).toContain('routes[0].key');
    expect(failure(withKeys('${headers.key}'))).toContain('is not made of ${aggregateid} alone');
  });

  it('go by a column that is named, when each key contains it', () => {
    const named = (...keys: string[]): string => `${withKeys(...keys)}shardBy: aggregateid\n`;
    expect(load(named('${aggregatetype}-${aggregateid}', '${aggregateid}')).shardBy).toBe('aggregateid');
    expect(failure(named('${aggregateid}', '${customer}'))).toContain(
      'routes[1].key (relay.yaml:6:53): does not contain ${aggregateid}',
    );
    for (const column of ['id', 'position'])
      expect(failure(`${MINIMAL}shards: 2\nshardBy: ${column}\n`)).toContain(`cannot be ${column}`);
  });

  it('need memory, and several of them', () => {
    expect(failure(`${MINIMAL}shards: 64\n`)).toContain('limits.memory: is shared by 64 shards');
    expect(failure(`${MINIMAL}shardBy: aggregateid\n`)).toContain('has no effect with one shard');
  });
});
