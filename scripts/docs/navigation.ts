import { posix } from 'node:path';
import { documentationPages, readText, titleOf } from './pages.ts';

/** A group of pages, under a heading of the index. */
export interface NavigationSection {
  readonly title: string;
  readonly pages: readonly NavigationPage[];
}

/** A page as the index lists it. */
export interface NavigationPage {
  /** From `docs/`. */
  readonly path: string;
  /** Its first heading. */
  readonly title: string;
}

const INDEX = 'docs/README.md';
const FOLDER_INDEX = /(^|\/)README\.md$/;

/**
 * The navigation of the site: `docs/README.md` is its only source. Each heading there begins a section, and each row of
 * the table below it that begins with a link is a page. Pages of a folder that the index links to by its `README.md` follow that one.
 */
export function navigation(): readonly NavigationSection[] {
  return sectionsOf(readText(INDEX)).map(({ title, paths }) => ({
    title,
    pages: paths.flatMap((path) => [path, ...besides(path)]).map((path) => ({ path, title: pageTitle(path) })),
  }));
}

/** The sections of an index with the pages that they list. */
export function sectionsOf(index: string): readonly { readonly title: string; readonly paths: readonly string[] }[] {
  return index
    .split(/^## +/m)
    .slice(1)
    .map((section) => ({
      title: section.split('\n', 1)[0]?.trim() ?? '',
      paths: [...section.matchAll(/^\| *\[[^\]]+\]\(([^)#]+\.md)\)/gm)].map((match) => match[1] ?? ''),
    }));
}

/** The other pages of the folder that a page is the index of. */
function besides(path: string): readonly string[] {
  if (!FOLDER_INDEX.test(path)) return [];
  const folder = posix.dirname(path);
  return documentationPages()
    .map((page) => posix.relative('docs', page))
    .filter((page) => page !== path && posix.dirname(page) === folder);
}

function pageTitle(path: string): string {
  return titleOf(readText(posix.join('docs', path))) ?? path;
}
