import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { ERROR_CATALOGUE } from '../../src/core/error-catalogue.ts';
import { METRIC_PREFIX, METRICS } from '../../src/observe/metric-catalogue.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const listed = (folder: string, ending: string): string[] =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending) && !name.includes('node_modules'))
    .map((name) => join(folder, name));

const PAGES = [
  'README.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

/** All matches of a pattern's first group. */
const found = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].map((match) => match[1] ?? '');
const withoutCode = (text: string): string => text.replace(/^```[\s\S]*?^```$/gm, '').replace(/`[^`\n]*`/g, '');
const inlineCode = (text: string): string[] =>
  found(text.replace(/^```[\s\S]*?^```$/gm, ''), /(?<!`)`([^`\n]+)`(?!`)/g);

/** What GitHub makes of a heading. */
function anchorOf(heading: string): string {
  const text = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
  return text.replace(/[^\p{L}\p{N}\s_-]/gu, '').replace(/\s/g, '-');
}

function anchorsOf(page: string): string[] {
  return found(read(page).replace(/^```[\s\S]*?^```$/gm, ''), /^#{1,6} +(.+?) *$/gm).map(anchorOf);
}

function linkFault(page: string, link: string): string | null {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? page : normalize(join(dirname(page), path));
  if (!existsSync(join(ROOT, target))) return `${link}: there is no ${target}`;
  if (anchor === undefined || statSync(join(ROOT, target)).isDirectory()) return null;
  return anchorsOf(target).includes(anchor) ? null : `${link}: ${target} has no such heading`;
}

/** What begins like an error code and is none: a property of AMQP, settings of Postgres. */
const NO_CODES: ReadonlySet<string> = new Set(['message_id', 'wal_level', 'wal_sender_timeout', 'wal_writer_delay']);

function looksLikeCode(text: string): boolean {
  const families = new Set(Object.keys(ERROR_CATALOGUE).map((code) => code.split('_', 1)[0]));
  return /^[a-z]+(_[a-z]+)+$/.test(text) && families.has(text.split('_', 1)[0]) && !NO_CODES.has(text);
}

const SAMPLE_ENV = {
  DATABASE_URL: 'postgres://relay@localhost/shop',
  KAFKA_BROKERS: 'localhost:9092',
  AMQP_URL: 'amqp://localhost',
};

/** The YAML blocks that are whole configurations, each with the page it stands on. */
const CONFIGURATIONS = PAGES.flatMap((page) =>
  found(read(page), /^```yaml\n([\s\S]*?)^```$/gm)
    .filter((yaml) => /^postgres:/m.test(yaml) && /^destinations:/m.test(yaml))
    .map((yaml, at) => [`${page}, number ${at + 1}`, yaml] as const),
);

describe.each(PAGES)('%s', (page) => {
  const text = read(page);

  it('links to files and headings that are there', () => {
    const links = found(withoutCode(text), /\]\(([^)\s]+)\)/g).filter((link) => !/^[a-z]+:/.test(link));
    expect(links.map((link) => linkFault(page, link)).filter((fault) => fault !== null)).toEqual([]);
  });

  it('names metrics, error codes, scripts and files that there are', () => {
    const metrics = found(text, /\b(outbox_relay_[a-z_]+)/g).map((name) => name.slice(METRIC_PREFIX.length));
    expect(metrics.filter((name) => !Object.hasOwn(METRICS, name))).toEqual([]);

    const codes = inlineCode(text).filter(looksLikeCode);
    expect(codes.filter((code) => !Object.hasOwn(ERROR_CATALOGUE, code))).toEqual([]);

    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = found(text, /\bnpm run (?:-s )?([a-z][a-z:-]*)/g);
    expect(named.filter((script) => !Object.hasOwn(scripts, script))).toEqual([]);

    const files = inlineCode(text).filter((name) => /^(src|test|config|sql|scripts|demo)\/[\w./-]+$/.test(name));
    expect(files.filter((name) => !existsSync(join(ROOT, name)))).toEqual([]);
  });
});

describe('the configurations shown', () => {
  it('are there', () => {
    expect(CONFIGURATIONS.length).toBeGreaterThanOrEqual(4);
  });

  it.each(CONFIGURATIONS)('load without a warning: %s', (_, yaml) => {
    expect(loadConfig({ file: 'relay.yaml', env: SAMPLE_ENV, readFile: () => yaml }).warnings).toEqual([]);
  });
});

describe('docs', () => {
  it('are all in the index', () => {
    const index = new Set(found(read('docs/README.md'), /\]\(([\w-]+\.md)\)/g));
    const pages = PAGES.filter((page) => page.startsWith('docs/') && page !== 'docs/README.md');
    expect(pages.filter((page) => !index.has(page.slice('docs/'.length)))).toEqual([]);
  });

  it('quote names of tests that there are', () => {
    const tests = listed('test', '.ts').map(read).join('\n');
    const rows = read('docs/guarantees.md').split('\n').filter((line) => line.startsWith('| **') || line.startsWith('| ...')); // prettier-ignore
    const quoted = rows.flatMap((row) => found(row.split('|').at(-2) ?? '', /"([^"]+)"/g));
    expect(quoted.length).toBeGreaterThan(10);
    expect(quoted.filter((name) => !tests.includes(name))).toEqual([]);
  });
});
