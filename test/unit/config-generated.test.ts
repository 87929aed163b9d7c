import { readFileSync, readdirSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { configJsonSchema, loadConfig, optionReference } from '../../src/config/index.ts';
import { DURATION_PATTERN } from '../../src/config/units.ts';
import { load, MINIMAL } from './config-support.ts';

const FOLDER = new URL('../../config/', import.meta.url);
const EXAMPLES = readdirSync(FOLDER).filter((name) => name.endsWith('.yaml'));

const ENVIRONMENT = {
  DATABASE_URL: 'postgres://relay:pw@localhost:5432/shop',
  KAFKA_BROKERS: 'localhost:9092',
  AMQP_URL: 'amqp://localhost',
  PGDATABASE: 'shop',
  PGPASSWORD: 'pw',
  ADMIN_TOKEN: '0123456789abcdef',
};

describe('examples', () => {
  it.each(EXAMPLES)('%s loads without a warning and names its schema', (name) => {
    const text = readFileSync(new URL(name, FOLDER), 'utf8');
    const config = loadConfig({ file: name, env: ENVIRONMENT, readFile: () => text });
    expect(config.warnings).toEqual([]);
    expect(text.split('\n')[0]).toBe('# yaml-language-server: $schema=./outbox-relay.schema.json');
  });

  it('are there for every kind of destination and for a mapped table', () => {
    expect(EXAMPLES).toEqual([
      'cloudevents.yaml',
      'debezium-table.yaml',
      'kafka-and-rabbitmq.yaml',
      'kafka.yaml',
      'rabbitmq.yaml',
    ]);
  });
});

describe('the option reference', () => {
  const options = optionReference().flatMap((section) => section.options);

  it('describes every option', () => {
    expect(options.filter((option) => option.description === '').map((option) => option.path.join('.'))).toEqual([]);
    expect(options.length).toBeGreaterThan(80);
  });

  it('gives every default in a form that can be written, with the meaning of leaving the option out', () => {
    const env: Record<string, string> = {};
    for (const { environment, default: fallback, path } of options) {
      // null is for the file alone: a variable is always a text
      const isText = fallback !== null && fallback !== 'null';
      if (environment !== null && isText && path[0] !== 'postgres') env[environment] = fallback;
    }
    expect(Object.keys(env).length).toBeGreaterThan(25);
    expect(load(MINIMAL, env)).toEqual(load(MINIMAL));
  });

  it('gives each override a name of its own', () => {
    const names = options.flatMap(({ environment }) => environment ?? []);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('the JSON schema', () => {
  it('has all options with their text, accepts placeholders for scalars, and no key of our own making', () => {
    const schema = configJsonSchema();
    expect(schema).toMatchObject({
      required: ['postgres', 'destinations'],
      additionalProperties: false,
      properties: {
        capture: {
          properties: {
            pollInterval: {
              default: '200ms',
              anyOf: [{ type: 'string', pattern: DURATION_PATTERN }, { $ref: '#/$defs/placeholder' }],
            },
          },
        },
        admin: { properties: { port: { anyOf: [{ type: 'integer', minimum: 0, maximum: 65535 }, {}] } } },
      },
    });
    expect(JSON.stringify(schema)).not.toMatch(/"(kind|range|secret|unit|fallback)":/);
  });

  // compiling it examines the schema itself, as editors and Helm do
  const validate = new Ajv2020({ strict: true, strictTypes: false, allErrors: true }).compile(configJsonSchema());

  it.each(EXAMPLES)('takes %s', (name) => {
    validate(parse(readFileSync(new URL(name, FOLDER), 'utf8')));
    expect(validate.errors).toBeNull();
  });

  it.each([
    ['a misspelt option', { capture: { pollIntervall: '1s' } }, 'must NOT have additional properties'],
    ['a section that there is not', { captures: {} }, 'must NOT have additional properties'],
    ['a duration without its unit', { shutdown: { drain: 5 } }, 'must be string'],
    ['a list as the value of a match', { routes: [{ destination: 'k', match: { type: {} } }] }, 'must be array'],
  ])('refuses %s', (_, part, message) => {
    validate({ ...(parse(MINIMAL) as object), ...part });
    expect(validate.errors?.map((error) => error.message)).toContain(message);
  });
});
