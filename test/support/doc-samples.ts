import { readText } from '../../scripts/docs/pages.ts';

/** A fenced block of a page. */
export interface Sample {
  /** The page and the line that the block begins on. */
  readonly place: string;
  /** What stands behind the opening fence. */
  readonly language: string;
  readonly text: string;
  /** The heading above it. */
  readonly heading: string;
}

/** The fenced blocks of a page. @param page from the project's folder */
export function samplesOf(page: string): readonly Sample[] {
  const samples: Sample[] = [];
  let heading = '';
  let open: { line: number; language: string; lines: string[] } | null = null;
  for (const [index, line] of readText(page).split('\n').entries()) {
    const fence = /^ *```([\w-]*)/.exec(line);
    if (open === null) {
      heading = /^#+ +(.+?) *$/.exec(line)?.[1] ?? heading;
      if (fence !== null) open = { line: index + 1, language: fence[1] ?? '', lines: [] };
    } else if (fence !== null) {
      samples.push({ place: `${page}:${open.line}`, language: open.language, text: open.lines.join('\n'), heading });
      open = null;
    } else open.lines.push(line);
  }
  return samples;
}
