import { defineConfig } from 'vitepress';
import { anchorOf } from '../../scripts/docs/anchor.ts';
import { navigation } from '../../scripts/docs/navigation.ts';
import { adaptLinks } from '../../scripts/docs/site-links.ts';

/** The site is made of the pages as they are read on GitHub; a link that leads nowhere fails the build. */
export default defineConfig({
  title: 'outbox-relay',
  description: 'Relay a Postgres outbox table to Kafka or RabbitMQ: nothing lost, in order per key.',
  cleanUrls: true,
  rewrites: (page) => page.replace(/(^|\/)README\.md$/, '$1index.md'),
  markdown: {
    anchor: { slugify: anchorOf },
    config: adaptLinks,
  },
  themeConfig: {
    outline: 'deep',
    search: { provider: 'local' },
    sidebar: navigation().map(({ title, pages }) => ({
      text: title,
      items: pages.map((page) => ({ text: page.title, link: `/${page.path.replace(/(README)?\.md$/, '')}` })),
    })),
  },
});
