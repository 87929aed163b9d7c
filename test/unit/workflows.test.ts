import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

const ROOT = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8');

interface Workflow {
  readonly permissions?: unknown;
  readonly jobs: Readonly<
    Record<string, { readonly strategy?: { readonly matrix: { readonly node?: readonly string[] } } }>
  >;
}

const FILES = readdirSync(new URL('.github/workflows/', ROOT)).map((name) => `.github/workflows/${name}`);

describe.each(FILES)('%s', (file) => {
  const text = read(file);

  it('runs actions of others by their commit, so that nobody can change them under it', () => {
    const used = [...text.matchAll(/uses: (.*)$/gm)].map((match) => match[1]);
    expect(used.length).toBeGreaterThan(0);
    expect(used.filter((name) => !/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(name ?? ''))).toEqual([]);
  });

  it('may only read, unless a job says otherwise', () => {
    expect((parse(text) as Workflow).permissions).toEqual({ contents: 'read' });
  });
});

it('CI runs on the oldest version of Node that package.json admits, and on each line after it', () => {
  const { engines } = JSON.parse(read('package.json')) as { engines: { node: string } };
  const { jobs } = parse(read('.github/workflows/ci.yml')) as Workflow;
  expect(jobs.node?.strategy?.matrix.node).toEqual([engines.node.replace('>=', ''), '20', '22', '24']);
});

it('package and chart are of one version', () => {
  const { version } = JSON.parse(read('package.json')) as { version: string };
  expect(parse(read('helm/outbox-relay/Chart.yaml'))).toMatchObject({ version, appVersion: version });
});

it('the release finds the line that names the image, and the heading of the changelog', () => {
  expect(read('helm/outbox-relay/values.yaml')).toMatch(/^ {2}repository: outbox-relay$/m);
  expect(read('CHANGELOG.md')).toMatch(/^## \[(Unreleased|\d+\.\d+\.\d+)\]/m);
});
