import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { documentationPages } from '../../scripts/docs/pages.ts';
import { configJsonSchema, loadConfig } from '../../src/config/index.ts';
import { type Sample, samplesOf } from '../support/doc-samples.ts';

const SAMPLES = ['README.md', ...documentationPages()].flatMap(samplesOf);
const inLanguage = (...languages: readonly string[]): [string, Sample][] =>
  SAMPLES.filter(({ language }) => languages.includes(language)).map((sample) => [sample.place, sample]);

const ENVIRONMENT = {
  DATABASE_URL: 'postgres://relay@localhost/shop',
  KAFKA_BROKERS: 'localhost:9092',
  AMQP_URL: 'amqp://localhost',
};

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
    const config = loadConfig({ file: 'relay.yaml', env: ENVIRONMENT, readFile: () => completed(text) });
    expect(config.warnings).toEqual([]);
  });
});

describe('every fence', () => {
  it('names its language', () => {
    expect(SAMPLES.filter(({ language }) => language === '').map(({ place }) => place)).toEqual([]);
  });
});
