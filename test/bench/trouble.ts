import { setTimeout as delay } from 'node:timers/promises';
import type { Broker } from './brokers/broker.ts';

/** What is wrong with the broker while a contestant works: it is away for a while, or hardly gets to do anything. */
export type TroubleName = 'none' | 'dead' | 'slow';

/** How long a dead broker stays away. */
const DEAD_MS = 15_000;
/** A slow one works for a fifth of the time. */
const STILL_MS = 400;
const WORKING_MS = 100;
/** After which a slow one recovers, so that the work comes to an end. */
const SLOW_MS = 30_000;

/** Trouble that a run has with its broker. */
export interface Trouble {
  /** Called before the contestant is started. */
  begin(): Promise<void>;
  /** Called when it runs; resolves when the broker can be asked what has come. */
  goOn(): Promise<void>;
  /** Mends what is not mended yet. */
  end(): Promise<void>;
}

export function troubleOf(name: TroubleName, broker: Broker): Trouble {
  switch (name) {
    case 'none':
      return { begin: nothing, goOn: nothing, end: nothing };
    case 'dead':
      return deadBroker(broker);
    case 'slow':
      return slowBroker(broker);
  }
}

function nothing(): Promise<void> {
  return Promise.resolve();
}

function deadBroker(broker: Broker): Trouble {
  let dead = false;
  const restart = async (): Promise<void> => {
    if (!dead) return;
    dead = false;
    await broker.restart();
  };
  return {
    begin: async () => {
      dead = true;
      await broker.stop();
    },
    goOn: async () => {
      await delay(DEAD_MS);
      await restart();
    },
    end: restart,
  };
}

function slowBroker(broker: Broker): Trouble {
  const over = new AbortController();
  let halting: Promise<void> = Promise.resolve();
  const halt = async (): Promise<void> => {
    const until = performance.now() + SLOW_MS;
    while (!over.signal.aborted && performance.now() < until) {
      await broker.pause();
      await delay(STILL_MS);
      await broker.resume();
      await delay(WORKING_MS);
    }
  };
  return {
    begin: nothing,
    goOn: () => {
      halting = halt();
      return Promise.resolve();
    },
    end: async () => {
      over.abort();
      await halting;
    },
  };
}
