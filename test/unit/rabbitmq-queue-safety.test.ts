import { describe, expect, it } from 'vitest';
import { discardsConfirmed, reachableQueues } from '../../src/publish/rabbitmq/queue-safety.ts';

const queue = (type: string, args: Record<string, unknown>, policy: Record<string, unknown> = {}) => ({
  name: 'q',
  type,
  arguments: args,
  policy,
});

describe('queues', () => {
  it.each([
    ['a limit and no overflow, which means drop-head', queue('classic', { 'x-max-length': 10 })],
    ['a limit in bytes by policy', queue('quorum', {}, { 'max-length-bytes': 10 })],
    ['drop-head, said', queue('quorum', { 'x-overflow': 'drop-head' }, { 'max-length': 10 })],
    [
      'limit and overflow by one policy, on a classic queue',
      queue('classic', {}, { 'max-length': 1, overflow: 'reject-publish' }),
    ],
  ])('with %s discard what they have confirmed', (_, setup) => {
    expect(discardsConfirmed(setup)).not.toBeNull();
  });

  it.each([
    ['no limit', queue('classic', { 'x-overflow': 'drop-head' })],
    ['reject-publish as an argument', queue('classic', { 'x-overflow': 'reject-publish' }, { 'max-length': 10 })],
    [
      'reject-publish by policy, on a quorum queue',
      queue('quorum', {}, { 'max-length': 1, overflow: 'reject-publish' }),
    ],
    ['a limit, on a stream', queue('stream', { 'x-max-length-bytes': 10 })],
  ])('with %s keep it', (_, setup) => {
    expect(discardsConfirmed(setup)).toBeNull();
  });

  it('are found behind exchanges, behind exchanges that are bound to these, and by name', () => {
    const binding = (source: string, destination: string, destinationType = 'queue') => ({
      source,
      destination,
      destinationType,
    });
    const bindings = [
      binding('last', 'far'),
      binding('outbox', 'near'),
      binding('outbox', 'middle', 'exchange'),
      binding('middle', 'last', 'exchange'),
      binding('last', 'outbox', 'exchange'),
      binding('other', 'elsewhere'),
    ];
    const addresses = [
      { kind: 'exchange', exchange: 'outbox', routingKey: 'a' },
      { kind: 'exchange', exchange: '', routingKey: 'named' },
    ] as const;
    expect([...reachableQueues(addresses, bindings)].sort()).toEqual(['far', 'named', 'near']);
  });
});
