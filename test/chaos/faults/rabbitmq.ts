import { setTimeout as delay } from 'node:timers/promises';
import type { Trouble } from '../brokers/broker.ts';
import type { Stage } from '../stage.ts';
import type { Fault } from './fault.ts';

/** What only RabbitMQ can have: it refuses or returns messages although it is well and reachable. */
export const RABBITMQ_FAULTS = {
  /** With its binding: channels are closed by 404, and for a moment no queue takes what is published. */
  'exchange-deleted': of('exchange-gone', [0, 4_000]),
  /** The same from before the relays are started, and for so long after one has come to read rows. */
  'exchange-missing-at-start': {
    lanes: ['broker'],
    brokers: ['rabbitmq'],
    lasts: [2_000, 6_000],
    prepare: ({ sink }) => sink.trouble('exchange-gone', true),
    strike: async ({ sink, relays }, forMs) => {
      await relays.untilReading();
      await delay(forMs);
      await sink.trouble('exchange-gone', false);
    },
  },
  /** Publishing connections are blocked. */
  'memory-alarm': of('memory-alarm', [500, 8_000]),
  /** Every message is refused (nack). */
  'queue-full': of('queue-full', [500, 6_000]),
} satisfies Readonly<Record<string, Fault>>;

function of(trouble: Trouble, lasts: Fault['lasts']): Fault {
  return {
    lanes: ['broker'],
    brokers: ['rabbitmq'],
    lasts,
    strike: async ({ sink }: Stage, forMs: number) => {
      await sink.trouble(trouble, true);
      await delay(forMs);
      await sink.trouble(trouble, false);
    },
  };
}
