import { readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's folder, with a slash at its end. */
export const PROJECT = fileURLToPath(new URL('../../', import.meta.url));

/** The text of a file. @param path from the project's folder */
export const readText = (path: string): string => readFileSync(posix.join(PROJECT, path), 'utf8');

/** All pages of the documentation, by their path from the project's folder, in order of the alphabet. */
export function documentationPages(): readonly string[] {
  return readdirSync(posix.join(PROJECT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md') && !name.startsWith('.vitepress'))
    .map((name) => posix.join('docs', name))
    .sort();
}

/** The first heading of a page, without its markup. */
export function titleOf(markdown: string): string | null {
  const heading = /^# +(.+?) *$/m.exec(markdown)?.[1];
  return heading?.replace(/\[([^\]]*)\]\([^)]*\)|`/g, '$1') ?? null;
}
