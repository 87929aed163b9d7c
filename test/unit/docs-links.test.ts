import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { anchorOf } from '../../scripts/docs/anchor.ts';
import { navigation, sectionsOf } from '../../scripts/docs/navigation.ts';
import { documentationPages, PROJECT, readText } from '../../scripts/docs/pages.ts';
import { siteTarget } from '../../scripts/docs/site-links.ts';
import { ERROR_CATALOGUE } from '../../src/core/error-catalogue.ts';
import { METRIC_PREFIX, METRICS } from '../../src/observe/metric-catalogue.ts';

const listed = (folder: string, ending: string): string[] =>
  readdirSync(join(PROJECT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending) && !name.includes('node_modules'))
    .map((name) => join(folder, name));

const PAGES = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md', ...documentationPages()];

/** All matches of a pattern's first group. */
const found = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].map((match) => match[1] ?? '');
const withoutCode = (text: string): string => text.replace(/^```[\s\S]*?^```$/gm, '').replace(/`[^`\n]*`/g, '');
const inlineCode = (text: string): string[] =>
  found(text.replace(/^```[\s\S]*?^```$/gm, ''), /(?<!`)`([^`\n]+)`(?!`)/g);

function anchorsOf(page: string): string[] {
  return found(readText(page).replace(/^```[\s\S]*?^```$/gm, ''), /^#{1,6} +(.+?) *$/gm).map(anchorOf);
}

function linkFault(page: string, link: string): string | null {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? page : normalize(join(dirname(page), path));
  if (!existsSync(join(PROJECT, target))) return `${link}: there is no ${target}`;
  if (anchor === undefined || statSync(join(PROJECT, target)).isDirectory()) return null;
  return anchorsOf(target).includes(anchor) ? null : `${link}: ${target} has no such heading`;
}

/** What begins like an error code and is none: a property of AMQP, settings of Postgres. */
const NO_CODES: ReadonlySet<string> = new Set(['message_id', 'wal_level', 'wal_sender_timeout', 'wal_writer_delay']);

function looksLikeCode(text: string): boolean {
  const families = new Set(Object.keys(ERROR_CATALOGUE).map((code) => code.split('_', 1)[0]));
  return /^[a-z]+(_[a-z]+)+$/.test(text) && families.has(text.split('_', 1)[0]) && !NO_CODES.has(text);
}

describe.each(PAGES)('%s', (page) => {
  const text = readText(page);

  it('links to files and headings that are there', () => {
    const links = found(withoutCode(text), /\]\(([^)\s]+)\)/g).filter((link) => !/^[a-z]+:/.test(link));
    expect(links.map((link) => linkFault(page, link)).filter((fault) => fault !== null)).toEqual([]);
  });

  it('names metrics, error codes, scripts and files that there are', () => {
    const metrics = found(text, /\b(outbox_relay_[a-z_]+)/g).map((name) => name.slice(METRIC_PREFIX.length));
    expect(metrics.filter((name) => !Object.hasOwn(METRICS, name))).toEqual([]);

    const codes = inlineCode(text).filter(looksLikeCode);
    expect(codes.filter((code) => !Object.hasOwn(ERROR_CATALOGUE, code))).toEqual([]);

    const { scripts } = JSON.parse(readText('package.json')) as { scripts: Record<string, string> };
    const named = found(text, /\bnpm run (?:-s )?([a-z][a-z:-]*)/g);
    expect(named.filter((script) => !Object.hasOwn(scripts, script))).toEqual([]);

    const files = inlineCode(text).filter((name) => /^(src|test|config|sql|scripts|demo)\/[\w./-]+$/.test(name));
    expect(files.filter((name) => !existsSync(join(PROJECT, name)))).toEqual([]);
  });
});

describe('the navigation', () => {
  it('has every page once', () => {
    const listed = navigation().flatMap(({ pages }) => pages.map(({ path }) => `docs/${path}`));
    expect([...listed].sort()).toEqual(documentationPages().filter((page) => page !== 'docs/README.md'));
  });

  it('is read from the headings and tables of the index', () => {
    const index = [
      'Intro [x](x.md)',
      '## One',
      '| Page | |',
      '|---|---|',
      '| [a.md](a.md) | see [b](b.md) |',
      '| [r](r/README.md) | |',
      '## Two',
    ];
    expect(sectionsOf(index.join('\n'))).toEqual([
      { title: 'One', paths: ['a.md', 'r/README.md'] },
      { title: 'Two', paths: [] },
    ]);
  });
});

describe('links on the site', () => {
  it.each([
    ['errors.md#halted', 'kafka.md', 'errors.md#halted'],
    ['README.md', 'kafka.md', 'index.md'],
    ['../runbooks/README.md#stuck', 'deployment/helm.md', '../runbooks/index.md#stuck'],
    ['../kafka.md', 'deployment/helm.md', '../kafka.md'],
    ['../README.md', 'kafka.md', null],
    ['../../src/main.ts', 'deployment/helm.md', null],
    ['https://example.org/a', 'kafka.md', 'https://example.org/a'],
    ['#here', 'kafka.md', '#here'],
  ])('%s of %s lead to %s', (href, page, target) => {
    expect(siteTarget(href, page)).toBe(target);
  });
});

describe('the guarantees', () => {
  it('quote names of tests that there are', () => {
    const tests = listed('test', '.ts').map(readText).join('\n');
    const rows = readText('docs/guarantees.md').split('\n').filter((line) => line.startsWith('| **') || line.startsWith('| ...')); // prettier-ignore
    const quoted = rows.flatMap((row) => found(row.split('|').at(-2) ?? '', /"([^"]+)"/g));
    expect(quoted.length).toBeGreaterThan(10);
    expect(quoted.filter((name) => !tests.includes(name))).toEqual([]);
  });
});
