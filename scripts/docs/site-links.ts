import { posix } from 'node:path';
import type { MarkdownEnv, MarkdownOptions } from 'vitepress';

type Extend = NonNullable<MarkdownOptions['config']>;

/**
 * Makes links of the pages, which are written for GitHub, fit the site: a folder's `README.md` is its index there, and
 * what is outside of `docs/` is not part of it, so that such a link becomes plain text.
 */
export const adaptLinks: Extend = (md) => {
  md.core.ruler.push('site-links', (state) => {
    const { relativePath } = state.env as MarkdownEnv;
    for (const { children } of state.tokens) {
      let leaving = false;
      for (const token of children ?? []) {
        if (token.type === 'link_open') {
          const target = siteTarget(token.attrGet('href') ?? '', relativePath);
          leaving = target === null;
          if (target !== null) token.attrSet('href', target);
        }
        if (leaving && (token.type === 'link_open' || token.type === 'link_close')) token.hidden = true;
      }
    }
  });
  const renderOpen = md.renderer.rules.link_open;
  md.renderer.rules.link_open = (tokens, index, options, env, self) =>
    tokens[index]?.hidden === true ? '' : (renderOpen?.(tokens, index, options, env, self) ?? '');
  md.renderer.rules.link_close = (tokens, index, options, _, self) =>
    tokens[index]?.hidden === true ? '' : self.renderToken(tokens, index, options);
};

/**
 * Where a link leads on the site; null when that is outside of it.
 *
 * @param page the page that it stands on, from `docs/`
 */
export function siteTarget(href: string, page: string): string | null {
  if (/^([a-z]+:|#|\/)/i.test(href)) return href;
  const [path = '', ...anchor] = href.split(/(?=#)/);
  if (posix.join(posix.dirname(page), path).startsWith('..')) return null;
  return [path.replace(/(^|\/)README\.md$/, '$1index.md'), ...anchor].join('');
}
