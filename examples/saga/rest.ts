import { setTimeout as delay } from 'node:timers/promises';
import { type Facts, problemsOf } from './accounting.ts';

const LOOK_EVERY_MS = 500;
/** After so long in which nothing has changed nothing will: longer than any pause or timeout of the services. */
const STALLED_MS = 60_000;

/** Waits until nothing is wrong any more, or nothing changes any more; what is wrong then is told by the verdict. */
export async function untilAtRest(read: () => Promise<Facts>, say: (line: string) => void): Promise<Facts> {
  let facts = await read();
  let changedAt = performance.now();
  while (problemsOf(facts).length > 0 && performance.now() - changedAt < STALLED_MS) {
    await delay(LOOK_EVERY_MS);
    const next = await read();
    if (JSON.stringify(next) !== JSON.stringify(facts)) changedAt = performance.now();
    if (summary(next) !== summary(facts)) say(`  ${summary(next)}`);
    facts = next;
  }
  return facts;
}

/** What is left to do. */
function summary({ orders, onTheWay, items }: Facts): string {
  const open = orders.filter(({ state }) => state !== 'completed' && state !== 'cancelled').length;
  const messages = Object.values(onTheWay).reduce((sum, count) => sum + count, 0);
  const held = items.reduce((sum, item) => sum + item.held, 0);
  return `${open} orders have not ended, ${messages} messages are on their way, ${held} items are held`;
}
