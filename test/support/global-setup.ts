import type { TestProject } from 'vitest/node';
import { kafkaInDocker, postgresInDocker, rabbitmqInDocker } from './docker-services.ts';
import { kafkaNative, postgresNative, rabbitmqNative } from './native-services.ts';
import { probeKafka, probePostgres, probeRabbitmq } from './probes.ts';
import { type Selected, type ServiceSources, selectService } from './service-selection.ts';
import type { ServiceName, Services } from './service-state.ts';
import { postgresMajor } from './services/postgres-binaries.ts';

/**
 * Runs before the tests that use services, once: brings the services up side by side and tells the tests where they
 * are. Returns what ends them.
 *
 * @throws when a service is missing and `CI` is set: there, skipped tests would pass for good ones
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const selected = await selectAll();
  const services = Object.fromEntries([...selected].map(([name, { state }]) => [name, state])) as unknown as Services;
  const teardown = async () => {
    await Promise.all([...selected.values()].map(({ dispose }) => dispose()));
  };
  const missing = [...selected].flatMap(([name, { state }]) =>
    'missing' in state ? [`${name}: ${state.missing}`] : [],
  );
  if (missing.length > 0 && process.env.CI === 'true') {
    await teardown();
    throw new Error(`CI needs all services. Missing: ${missing.join('; ')}`);
  }
  project.provide('services', services);
  return teardown;
}

async function selectAll(): Promise<Map<ServiceName, Selected>> {
  const options = { environment: process.env, tell: (line: string) => console.log(`[services] ${line}`) };
  const names = Object.keys(SOURCES) as ServiceName[];
  const results = await Promise.allSettled(names.map((name) => selectService(name, SOURCES[name], options)));
  const selected = new Map<ServiceName, Selected>();
  const errors: unknown[] = [];
  for (const [index, result] of results.entries()) {
    const name = names[index];
    if (result.status === 'rejected') errors.push(result.reason);
    else if (name !== undefined) selected.set(name, result.value);
  }
  if (errors.length === 0) return selected;
  await Promise.all([...selected.values()].map(({ dispose }) => dispose()));
  throw errors[0];
}

const SOURCES: Readonly<Record<ServiceName, ServiceSources>> = {
  postgres: {
    variable: 'TEST_POSTGRES_URL',
    probe: probePostgres,
    docker: async () => postgresInDocker(postgresMajor()),
    native: async () => postgresNative(postgresMajor()),
  },
  kafka: { variable: 'TEST_KAFKA_BROKERS', probe: probeKafka, docker: kafkaInDocker, native: kafkaNative },
  rabbitmq: { variable: 'TEST_RABBITMQ_URL', probe: probeRabbitmq, docker: rabbitmqInDocker, native: rabbitmqNative },
};
