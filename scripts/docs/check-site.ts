/** Looks at the site that VitePress has built: every link within it, and every anchor, must lead somewhere. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { PROJECT } from './pages.ts';

const SITE = posix.join(PROJECT, 'docs/.vitepress/dist');

const anchors = new Map<string, ReadonlySet<string>>();
for (const name of readdirSync(SITE, { recursive: true, encoding: 'utf8' })) {
  if (name.endsWith('.html')) anchors.set(name, new Set(attributes(name, 'id')));
}
const faults = [...anchors.keys()].flatMap((page) =>
  attributes(page, 'href').flatMap((href) => {
    const fault = faultOf(page, href);
    return fault === null ? [] : [`${page}: ${href}: ${fault}`];
  }),
);
for (const fault of faults) console.error(fault);
console.log(`${anchors.size} pages, ${faults.length} dead links`);
if (faults.length > 0) process.exitCode = 1;

function attributes(page: string, name: string): string[] {
  const html = readFileSync(posix.join(SITE, page), 'utf8');
  return [...html.matchAll(new RegExp(`\\s${name}="([^"]*)"`, 'g'))].map((match) => match[1] ?? '');
}

function faultOf(page: string, href: string): string | null {
  if (/^([a-z]+:|\/\/)/i.test(href)) return null;
  const url = new URL(href, `http://site/${page}`);
  const path = decodeURIComponent(url.pathname).slice(1);
  const target = [path, `${path}.html`, posix.join(path, 'index.html')].find((name) => anchors.has(name));
  if (target === undefined) return existsSync(posix.join(SITE, path)) ? null : 'no such page';
  const anchor = decodeURIComponent(url.hash.slice(1));
  return anchor === '' || anchors.get(target)?.has(anchor) === true ? null : `${target} has no such heading`;
}
