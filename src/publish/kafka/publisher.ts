import { setTimeout as sleep } from 'node:timers/promises';
import { RelayError } from '../../core/errors.ts';
import type { Publisher } from '../../core/publisher.ts';
import { checkKafka } from './check.ts';
import type { KafkaDriver } from './driver.ts';
import { COORDINATOR_LOAD_IN_PROGRESS, troubleOf } from './errors.ts';
import { bearerTokens } from './oauth-tokens.ts';
import type { KafkaOptions } from './options.ts';
import { KafkaSession } from './session.ts';
import { tlsRefusal } from './tls-probe.ts';
import { within } from '../within.ts';

const LOADING_ATTEMPTS = 40;
const LOADING_INTERVAL_MS = 50;

/** Publishes to a Kafka cluster. The client library is loaded with the first session, unless {@link loadKafkaDriver} has been called. */
export function createKafkaPublisher(given: KafkaOptions): Publisher {
  const options = given.sasl?.mechanism === 'OAUTHBEARER' ? { ...given, bearerToken: bearerTokens(given) } : given;
  return {
    async open(listener, signal) {
      const driver = await openDriver(options);
      try {
        await connect(driver, options, signal);
      } catch (error) {
        void driver.close();
        throw error;
      }
      return new KafkaSession(driver, options, listener);
    },
    async check(addresses, signal) {
      const driver = await openDriver(options);
      const aborted = onAbort(signal);
      try {
        return await Promise.race([
          checkKafka(driver, addresses, (thrown) => explained(thrown, options)),
          aborted.promise,
        ]);
      } finally {
        aborted.forget();
        void driver.close();
      }
    },
  };
}

/** Loads the client library: most of a second of CPU in which this process does nothing else. */
export async function loadKafkaDriver(name: KafkaOptions['driver']): Promise<(options: KafkaOptions) => KafkaDriver> {
  switch (name) {
    case 'direct': {
      const [{ DirectDriver }, library] = await Promise.all([
        import('./direct/direct-driver.ts'),
        import('@platformatic/kafka'),
      ]);
      return (options) => new DirectDriver(library, options);
    }
    case 'platformatic': {
      const [{ PlatformaticDriver }, library] = await Promise.all([
        import('./platformatic-driver.ts'),
        import('@platformatic/kafka'),
      ]);
      return (options) => new PlatformaticDriver(library, options);
    }
    case 'kafkajs': {
      const [{ KafkajsDriver }, { default: library }] = await Promise.all([
        import('./kafkajs-driver.ts'),
        import('kafkajs'),
      ]);
      return (options) => new KafkajsDriver(library, options);
    }
  }
}

async function openDriver(options: KafkaOptions): Promise<KafkaDriver> {
  const create = await loadKafkaDriver(options.driver);
  return create(options);
}

async function connect(driver: KafkaDriver, options: KafkaOptions, signal: AbortSignal): Promise<void> {
  const aborted = onAbort(signal);
  try {
    const deadlineMs = 2 * (options.connectTimeoutMs + options.requestTimeoutMs);
    await within(Promise.race([connectOnceLoaded(driver, signal), aborted.promise]), deadlineMs, () => {
      throw new RelayError('broker_timeout', 'connecting to Kafka: no answer');
    });
  } catch (error) {
    throw signal.aborted ? toldOf(error) : await explained(error, options);
  } finally {
    aborted.forget();
  }
}

/** Why there is no connection; where it was closed without a word, what a connection by TLS alone is told. */
async function explained(thrown: unknown, options: KafkaOptions): Promise<RelayError> {
  const told = toldOf(thrown);
  return told.code === 'broker_unreachable' ? ((await tlsRefusal(options)) ?? told) : told;
}

function toldOf(thrown: unknown): RelayError {
  return thrown instanceof RelayError ? thrown : troubleOf(thrown, 'connecting to Kafka').error;
}

/** A broker that has just started gives out no producer id for some milliseconds: that is no failure. */
async function connectOnceLoaded(driver: KafkaDriver, signal: AbortSignal): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await driver.connect();
      return;
    } catch (error) {
      const { brokerCode } = troubleOf(error, 'connecting to Kafka');
      if (brokerCode !== COORDINATOR_LOAD_IN_PROGRESS || attempt >= LOADING_ATTEMPTS || signal.aborted) throw error;
      await sleep(LOADING_INTERVAL_MS);
    }
  }
}

/** A promise that rejects when the signal aborts, and never otherwise. */
function onAbort(signal: AbortSignal): { promise: Promise<never>; forget: () => void } {
  let abort = (): void => undefined;
  const promise = new Promise<never>((_, reject) => {
    abort = () => reject(new RelayError('broker_unreachable', 'connecting to Kafka was given up'));
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
  promise.catch(() => undefined);
  return { promise, forget: () => signal.removeEventListener('abort', abort) };
}
