import { expect, it } from 'vitest';
import { waitMs } from '../../src/relay/waits.ts';

it('waits for the poll interval, or for as long as the last pass looked in vain', () => {
  expect(waitMs({ kind: 'poll' }, 200, 0)).toBe(200);
  expect(waitMs({ kind: 'poll' }, 200, 1_500)).toBe(1_500);
  expect(waitMs({ kind: 'handover' }, 200, 0)).toBe(20);
  expect(waitMs({ kind: 'handover' }, 200, 1_500)).toBe(1_500);
});
