import { expect, test } from 'vitest';
import { Tenure } from '../../src/leader/tenure.ts';

test('a tenure lasts for the lease, from when it was asked for, and no renewal revives it', () => {
  const clock = { now: 1_000 };
  const tenure = new Tenure(300, 950, () => clock.now);
  expect(tenure.held).toBe(true);
  clock.now = 1_249;
  expect(tenure.held).toBe(true);

  // answered at 1,249, asked for at 1,200
  tenure.renewed(1_200);
  clock.now = 1_499;
  expect(tenure.held).toBe(true);
  clock.now = 1_500;
  expect(tenure.held).toBe(false);

  // the answer to a question of before the process was stopped: somebody else may lead by now
  tenure.renewed(1_450);
  expect(tenure.held).toBe(false);
});
