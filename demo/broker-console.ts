import type { DemoBroker, OnArrival } from './broker.ts';

/** No broker: the relay prints each message, and what it has printed has arrived. */
export function consoleBroker(onArrival: OnArrival): Promise<DemoBroker> {
  return Promise.resolve({
    title: 'its own standard output',
    config: {
      destinations: { console: { type: 'console' } },
      routes: [{ destination: 'console' }],
    },
    onLine: (line) => onArrival((JSON.parse(line) as { id: string }).id, line),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
}
