/**
 * The anchor of a heading, as GitHub makes it: so that one link serves both there and on the site.
 *
 * @param heading as plain text, or as Markdown with links and code
 */
export function anchorOf(heading: string): string {
  const text = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
  return text.replace(/[^\p{L}\p{N}\s_-]/gu, '').replace(/\s/g, '-');
}
