import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { substitute, type Surroundings } from '../../src/config/substitute.ts';
import { escapeTemplate, parseTemplate } from '../../src/core/template.ts';
import { failure, load, MINIMAL } from './config-support.ts';

const surroundings: Surroundings = {
  env: { HOST: 'db', EMPTY: '', SNEAKY: '${HOST}' },
  readFile: (path) => {
    if (path === '/run/secrets/p') return 's3cret\n';
    throw Object.assign(new Error(), { code: 'EACCES' });
  },
};

function run(text: string, mode: 'value' | 'template' | 'plain' = 'value') {
  const reports: string[] = [];
  return { text: substitute(text, mode, surroundings, (message) => reports.push(message)), reports };
}

describe('substitution', () => {
  it.each([
    ['${HOST}', 'db'],
    ['x-${HOST}-${env:HOST}', 'x-db-db'],
    ['${NONE:-fallback}', 'fallback'],
    ['${NONE:-}', ''],
    ['${EMPTY:-fallback}', 'fallback'],
    ['${EMPTY}', ''],
    ['${file:/run/secrets/p}', 's3cret'],
    ['$${HOST}', '${HOST}'],
    ['a$b', 'a$b'],
    ['${SNEAKY}', '${HOST}'],
  ])('makes of %s: %s', (given, result) => {
    expect(run(given)).toEqual({ text: result, reports: [] });
  });

  it.each([
    ['${NONE}', 'environment variable NONE is not set'],
    ['${toString}', 'environment variable toString is not set'],
    ['${file:/nowhere}', 'cannot read /nowhere (EACCES)'],
    ['${HOST', 'not closed'],
    ['${1a}', 'expected ${NAME}'],
    ['${}', 'expected ${NAME}'],
  ])('reports %s and leaves it', (given, message) => {
    const result = run(given);
    expect(result.text).toBe(given);
    expect(result.reports).toEqual([expect.stringContaining(message)]);
  });

  it('leaves columns alone in templates, and takes what the environment holds as text', () => {
    expect(run('${aggregatetype}.${env:HOST}.$${x}', 'template').text).toBe('${aggregatetype}.db.$${x}');
    expect(parseTemplate(run('${env:SNEAKY}', 'template').text)).toEqual(['${HOST}']);
    expect(run('${env:SNEAKY}', 'plain').text).toBe('${HOST}');
  });

  it('gives an escaped text back as it was', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('$', '{', '}', 'HOST', 'x') }), (text) => {
        expect(run(escapeTemplate(text))).toEqual({ text, reports: [] });
      }),
    );
  });

  it('replaces in routes only what is marked as environment', () => {
    const yaml = `${MINIMAL}routes:
  - match: { type: ["\${aggregatetype}", "\${env:KIND}"] }
    destination: \${DEST}
    topic: \${env:STAGE}.\${aggregatetype}
    key: \${aggregateid}
    headers: { stage: "\${env:STAGE}", kind: "\${type}" }
    onError: dead-letter
    deadLetter: { topic: "dead.\${type}" }
  - destination: kafka
`;
    const [route] = load(yaml, { DEST: 'kafka', STAGE: 'test', KIND: 'a' }).routes;
    expect(route).toMatchObject({
      match: { type: ['${aggregatetype}', 'a'] },
      destination: 'kafka',
      address: { kind: 'topic', topic: 'test.${aggregatetype}' },
      key: '${aggregateid}',
      headers: { stage: 'test', kind: '${type}' },
      deadLetter: { kind: 'topic', topic: 'dead.${type}' },
    });
  });

  it('names the variable, the option and the place when a variable is missing', () => {
    expect(failure(`postgres:\n  url: \${DATABASE_URL}\ndestinations: { c: { type: console } }`)).toBe(
      [
        'the configuration has a problem:',
        '  - postgres.url (relay.yaml:2:8): environment variable DATABASE_URL is not set: set it, or give a default as in ${DATABASE_URL:-default}',
      ].join('\n'),
    );
  });
});
