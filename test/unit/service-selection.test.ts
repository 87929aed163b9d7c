import { describe, expect, it } from 'vitest';
import { type ServiceSources, selectService } from '../support/service-selection.ts';

const answers = (url: string) => () => Promise.resolve({ url, dispose: () => Promise.resolve() });
const fails = (reason: string) => () => Promise.reject(new Error(reason));

const allThere: ServiceSources = {
  variable: 'TEST_KAFKA_BROKERS',
  probe: () => Promise.resolve(),
  docker: answers('from-docker:1'),
  native: answers('from-native:1'),
};

async function select(sources: Partial<ServiceSources>, environment: Record<string, string> = {}) {
  const lines: string[] = [];
  const selected = await selectService(
    'kafka',
    { ...allThere, ...sources },
    { environment, tell: (line) => lines.push(line) },
  );
  return { state: selected.state, lines };
}

describe('where a service comes from', () => {
  it('is the environment first', async () => {
    const { state, lines } = await select({}, { TEST_KAFKA_BROKERS: 'given:9092' });
    expect(state).toEqual({ url: 'given:9092', via: 'environment' });
    expect(lines).toEqual(['kafka: from TEST_KAFKA_BROKERS']);
  });

  it('is never another one when that of the environment is dead', async () => {
    const selecting = select({ probe: fails('connect ECONNREFUSED') }, { TEST_KAFKA_BROKERS: 'given:9092' });
    await expect(selecting).rejects.toThrow(/TEST_KAFKA_BROKERS is set, but .* ECONNREFUSED/);
  });

  it('is Docker before a process of our own', async () => {
    const { state } = await select({});
    expect(state).toEqual({ url: 'from-docker:1', via: 'docker' });
  });

  it('is a process of our own when Docker fails, and the line says why Docker was passed over', async () => {
    const { state, lines } = await select({ docker: fails('no Docker engine answers') });
    expect(state).toEqual({ url: 'from-native:1', via: 'native' });
    expect(lines).toEqual([expect.stringMatching(/^kafka: native in .* s; no docker: no Docker engine answers$/)]);
  });

  it.each(['docker', 'native'] as const)('is only %s when TEST_SERVICES says so', async (choice) => {
    const { state } = await select({}, { TEST_SERVICES: choice });
    expect(state).toEqual({ url: `from-${choice}:1`, via: choice });
    const other = choice === 'docker' ? 'native' : 'docker';
    const alone = await select({ [choice]: fails('broken') }, { TEST_SERVICES: choice });
    expect(alone.state).toEqual({ missing: `no ${choice}: broken` });
    expect(alone.lines.join()).not.toContain(other);
  });

  it('is nowhere when all fails, with all reasons', async () => {
    const native = () => Promise.reject(new Error('no Java\nsecond line', { cause: new Error('apt-get failed') }));
    const { state, lines } = await select({ docker: fails('no engine'), native });
    expect(state).toEqual({ missing: 'no docker: no engine; no native: no Java (apt-get failed)' });
    expect(lines).toEqual([expect.stringContaining('MISSING')]);
  });

  it('is nowhere when TEST_WITHOUT leaves it out', async () => {
    const { state } = await select({}, { TEST_WITHOUT: 'rabbitmq,kafka' });
    expect(state).toEqual({ missing: 'left out by TEST_WITHOUT' });
  });

  it('rejects a TEST_SERVICES that it does not know', async () => {
    await expect(select({}, { TEST_SERVICES: 'podman' })).rejects.toThrow('auto, docker or native');
  });
});
