import { expect, test } from 'vitest';
import { WaitingSince } from '../../src/app/waiting-since.ts';

test('a row waits since it was first seen as the first of its destination', () => {
  const since = new WaitingSince();
  expect(since.seconds('a', '1', 10_000)).toBe(0);
  expect(since.seconds('a', '1', 15_000)).toBe(5);
  expect(since.seconds('b', '2', 15_000)).toBe(0);
  expect(since.seconds('a', '1', 70_000)).toBe(60);
  // published: the next one has just been seen
  expect(since.seconds('a', '3', 71_000)).toBe(0);
  expect(since.seconds('b', '2', 75_000)).toBe(60);
});

test('none that waited in between: the same row begins anew', () => {
  const since = new WaitingSince();
  since.seconds('a', '1', 0);
  since.forget('a');
  expect(since.seconds('a', '1', 9_000)).toBe(0);
});
