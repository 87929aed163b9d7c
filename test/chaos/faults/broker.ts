import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from './fault.ts';

/** What happens to the broker and to the way there. */
export const BROKER_FAULTS = {
  'broker-kill': {
    lanes: ['broker'],
    lasts: [0, 3_000],
    strike: async ({ broker }, forMs) => {
      await broker.kill();
      await delay(forMs);
      await broker.restart();
    },
  },
  'broker-freeze': {
    lanes: ['broker'],
    lasts: [500, 8_000],
    strike: async ({ broker }, forMs) => {
      await broker.pause();
      await delay(forMs);
      await broker.resume();
    },
  },
  'broker-blackhole': {
    lanes: ['broker'],
    lasts: [500, 8_000],
    strike: async ({ broker }, forMs) => {
      broker.proxy.blackhole();
      await delay(forMs);
      await broker.proxy.heal();
    },
  },
  /** Messages are stored, and their acknowledgements never come. */
  'broker-responses-lost': {
    lanes: ['broker'],
    lasts: [200, 6_000],
    strike: async ({ broker }, forMs) => {
      broker.proxy.blackhole(['responses']);
      await delay(forMs);
      await broker.proxy.heal();
    },
  },
  /** Again and again, in the middle of requests. */
  'broker-reset': {
    lanes: ['broker'],
    lasts: [0, 3_000],
    strike: async ({ broker }, forMs) => {
      const end = performance.now() + forMs;
      do {
        broker.proxy.reset();
        await delay(150);
      } while (performance.now() < end);
    },
  },
  'broker-refused': {
    lanes: ['broker'],
    lasts: [500, 5_000],
    strike: async ({ broker }, forMs) => {
      broker.proxy.refuse();
      broker.proxy.reset();
      await delay(forMs);
      await broker.proxy.heal();
    },
  },
  'broker-slow': {
    lanes: ['broker'],
    lasts: [1_000, 6_000],
    strike: async ({ broker }, forMs) => {
      broker.proxy.delay(200);
      await delay(forMs);
      await broker.proxy.heal();
    },
  },
} satisfies Readonly<Record<string, Fault>>;
