import { beforeEach, describe, expect, it, vi } from 'vitest';
import { type InstanceTelemetry, ShardsTelemetry } from '../../src/app/shards-telemetry.ts';
import { RelayError } from '../../src/core/errors.ts';
import type { SlotWait } from '../../src/core/status.ts';

const ERROR = new RelayError('replication_failed', 'gone');
const sample = (retainedBytes: number) => ({ name: `slot ${retainedBytes}`, retainedBytes, walStatus: 'reserved' });

describe('what several shards tell', () => {
  const told = vi.fn();
  let shards: ShardsTelemetry;

  beforeEach(() => {
    told.mockClear();
    const tell =
      (what: string) =>
      (...given: unknown[]): void =>
        void told(what, ...given.slice(0, 1));
    const instance: Partial<InstanceTelemetry> = {
      streamOpened: tell('open'),
      streamClosed: tell('closed'),
      streamEnded: tell('ended'),
      streamUnavailable: tell('unavailable'),
      slotSampled: tell('sample'),
      slotWaits: tell('waits'),
    };
    shards = new ShardsTelemetry(instance as InstanceTelemetry);
  });

  it('of their streams: open when all are', () => {
    const [one, other] = [shards.of(0), shards.of(1)];
    one.relay.streamOpened('a');
    other.relay.streamUnavailable(ERROR, 1);
    one.relay.streamEnded(ERROR, 1);
    one.relay.streamOpened('b');
    other.relay.streamOpened('c');
    expect(told.mock.calls).toEqual([
      ['open', 'a'],
      ['unavailable', ERROR],
      ['ended', ERROR],
      ['open', 'c'],
    ]);
  });

  it('of their streams: open again when the one without is led no longer, closed when none is left', () => {
    const [one, other] = [shards.of(0), shards.of(1)];
    one.relay.streamOpened('a');
    other.relay.streamEnded(ERROR, 1);
    told.mockClear();
    other.over();
    one.over();
    one.over();
    expect(told.mock.calls).toEqual([['open', 'a'], ['closed']]);
  });

  it('of their slots: the one that retains most', () => {
    const [one, other] = [shards.of(0), shards.of(1)];
    one.slot.sampled(sample(10));
    other.slot.sampled(sample(30));
    one.slot.sampled(sample(20));
    expect(shards.slot).toEqual(sample(30));
    other.over();
    expect(shards.slot).toEqual(sample(20));
    one.slot.sampled(null);
    expect(told.mock.lastCall).toEqual(['sample', null]);
  });

  it('of what the creation of their slots waits for', () => {
    const wait = { slot: 's' } as SlotWait;
    shards.of(1).slot.waits(wait);
    shards.of(0).slot.waits(null);
    expect(told.mock.lastCall).toEqual(['waits', wait]);
    shards.of(1).over();
    expect(told.mock.lastCall).toEqual(['waits', null]);
  });
});
