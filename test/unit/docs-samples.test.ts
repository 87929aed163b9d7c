import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { documentationPages } from '../../scripts/docs/pages.ts';
import { configJsonSchema, loadConfig } from '../../src/config/index.ts';
import { callsIn, commandLinesOf, faultOf } from '../support/command-lines.ts';
import { type Sample, samplesOf } from '../support/doc-samples.ts';

const PAGES = ['README.md', ...documentationPages()];
const SAMPLES = PAGES.flatMap(samplesOf);
const inLanguage = (...languages: readonly string[]): [string, Sample][] =>
  SAMPLES.filter(({ language }) => languages.includes(language)).map((sample) => [sample.place, sample]);

const ENVIRONMENT = {
  DATABASE_URL: 'postgres://relay@localhost/shop',
  KAFKA_BROKERS: 'localhost:9092',
  AMQP_URL: 'amqp://localhost',
};

/** What every file has that a sample names: a certificate, a key, a password. */
const SECRET = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';

const SECTIONS = new Set(Object.keys((configJsonSchema() as { properties: object }).properties));

/** What completes a sample that shows a part of a configuration. */
const REST = {
  postgres: { url: '${DATABASE_URL}' },
  destinations: { kafka: { type: 'kafka', brokers: 'localhost:9092' } },
};

function sectionsOf(yaml: string): readonly string[] {
  const value: unknown = parse(yaml);
  return typeof value === 'object' && value !== null ? Object.keys(value) : [];
}

const isConfiguration = (yaml: string): boolean => {
  const sections = parseAllDocuments(yaml).length === 1 ? sectionsOf(yaml) : [];
  return sections.length > 0 && sections.every((section) => SECTIONS.has(section));
};

/** The sample as a whole configuration: JSON is YAML, too. */
function completed(yaml: string): string {
  const value = parse(yaml) as Record<string, unknown>;
  return 'postgres' in value && 'destinations' in value ? yaml : JSON.stringify({ ...REST, ...value });
}

describe('YAML that is shown', () => {
  const samples = inLanguage('yaml', 'yml');
  const configurations = samples.filter(([, { text }]) => isConfiguration(text));

  it('is there, and most of it is configuration', () => {
    expect(configurations.length).toBeGreaterThanOrEqual(6);
  });

  it.each(samples)('can be parsed: %s', (_, { text }) => {
    expect(parseAllDocuments(text).flatMap(({ errors }) => errors)).toEqual([]);
  });

  it.each(configurations)('loads without a warning: %s', (_, { text }) => {
    const readFile = (path: string): string => (path === 'relay.yaml' ? completed(text) : SECRET);
    const config = loadConfig({ file: 'relay.yaml', env: ENVIRONMENT, readFile });
    expect(config.warnings).toEqual([]);
  });
});

describe('JSON that is shown', () => {
  it.each(inLanguage('json'))('can be parsed: %s', (_, { text }) => {
    expect(() => JSON.parse(text) as unknown).not.toThrow();
  });
});

describe('calls of outbox-relay that are shown', () => {
  const calls = PAGES.flatMap(commandLinesOf).map(
    ({ place, words }) => [`${words.join(' ')} (${place})`, words] as const,
  );

  it('are found behind prompts, variables, other programs and pipes', () => {
    const line =
      '$ URL=x ./bin/outbox-relay check [--json] | jq . && sudo -u relay outbox-relay run -c "a b.yaml" # not this';
    expect(callsIn(line)).toEqual([
      ['check', '--json'],
      ['run', '-c', 'a b.yaml'],
    ]);
    expect(callsIn('kubectl exec deploy/outbox-relay -- outbox-relay status')).toEqual([['status']]);
    expect(callsIn('docker build -t outbox-relay .')).toEqual([]);
    expect(calls.length).toBeGreaterThan(30);
  });

  it.each(calls)('are understood: %s', async (_, words) => {
    expect(await faultOf(words)).toBeNull();
  });

  it('would be refused with an option that there is not', async () => {
    expect(await faultOf(['check', '--jsn'])).toContain("unknown option '--jsn'");
    expect(await faultOf(['parked', 'list', '--limit', 'many'])).toContain('--limit');
  });
});

describe('every fence', () => {
  it('names its language', () => {
    expect(SAMPLES.filter(({ language }) => language === '').map(({ place }) => place)).toEqual([]);
  });
});
