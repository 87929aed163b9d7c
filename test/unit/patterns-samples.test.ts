import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readText } from '../../scripts/docs/pages.ts';
import { samplesOf } from '../support/doc-samples.ts';

const PAGE = 'docs/patterns.md';

/** Lines without indentation, which a sample has less of than what it is cut out of. */
const flat = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.trim())
    .join('\n');

/** The files that the page has named, the one nearest to a line first. */
function filesNear(line: number): readonly string[] {
  const lines = readText(PAGE).split('\n');
  const named = lines.flatMap((text, index) =>
    [...text.matchAll(/\]\(([^)]+\.ts)\)/g)].map(([, path = '']) => ({ path, distance: Math.abs(line - index) })),
  );
  const paths = named.toSorted((one, other) => one.distance - other.distance).map(({ path }) => path);
  return paths.map((path) => join(dirname(PAGE), path));
}

describe('the samples of the page on patterns', () => {
  const samples = samplesOf(PAGE).filter(({ language }) => language === 'ts');

  it('are there for each pattern', () => {
    const headings = new Set(samples.map(({ heading }) => heading));
    expect([...headings]).toEqual([
      'Timeout, retry, circuit breaker, bulkhead',
      ...['Timeout', 'Retry', 'Circuit breaker', 'Bulkhead', 'Outbox', 'Inbox', 'Saga'],
    ]);
  });

  it.each(samples.map((sample) => [sample.place, sample] as const))(
    'are cut out of the file that is named beside them: %s',
    (place, { text }) => {
      const near = filesNear(Number(place.split(':')[1])).slice(0, 2);
      const found = near.some((path) => flat(readText(path)).includes(flat(text)));
      expect(found, `${text}\nis neither in ${near.join(' nor in ')}`).toBe(true);
    },
  );
});
