import { describe, expect, it } from 'vitest';
import { nackDelay, returnDelay, StickyNack } from '../../src/publish/rabbitmq/retries.ts';
import type { Entry } from '../../src/publish/rabbitmq/lane.ts';
import { Window } from '../../src/publish/rabbitmq/window.ts';
import { testMessage } from './rabbitmq-messages.ts';

const almostOne = () => 0.999_999;

function entry(): Entry {
  const window = new Window({ messages: 1, bytes: 1000, perKey: 1 });
  window.enqueue(testMessage(1));
  return window.take()!;
}

describe('retries', () => {
  it('of a nacked message wait from 0.1 s up to 30 s', () => {
    const nacked = entry();
    const delays = Array.from({ length: 12 }, () => nackDelay(nacked, almostOne));
    expect(delays.slice(0, 4)).toEqual([99, 199, 399, 799]);
    expect(delays.at(-1)).toBe(29_999);
  });

  it('of a returned message end when their time is over, with a last one just then', () => {
    const returned = entry();
    expect(returnDelay(returned, 250, 1000, almostOne)).toBe(99);
    expect(returnDelay(returned, 250, 1100, almostOne)).toBe(150);
    expect(returnDelay(returned, 250, 1250, almostOne)).toBeNull();
  });

  it('of a returned message are none where none are wanted', () => {
    expect(returnDelay(entry(), 0, 5, almostOne)).toBeNull();
  });
});

describe('a channel that nacks on and on', () => {
  it('is replaced after the third nack of one message, not of several', () => {
    const sticky = new StickyNack();
    const [a, b] = [entry(), entry()];
    expect([a, b, a, b].map((each) => sticky.nacked(each, 0))).toEqual([false, false, false, false]);
    expect(sticky.nacked(a, 0)).toBe(true);
  });

  it('is replaced by a channel on which counting begins anew, and not at once again', () => {
    const sticky = new StickyNack();
    const nacked = entry();
    for (let n = 0; n < 3; n++) sticky.nacked(nacked, 0);
    sticky.renewed(0);
    expect([1, 2, 3].map((now) => sticky.nacked(nacked, now))).toEqual([false, false, false]);
    expect(sticky.nacked(nacked, 10_000)).toBe(true);
  });
});
