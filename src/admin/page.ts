import { readFile } from 'node:fs/promises';
import { type Severity, SEVERITIES } from '../core/status.ts';
import type { HistoryPoint } from '../observe/history.ts';
import { type AdminRequest, type Answer, BadRequest, type Endpoint, jsonAnswer } from './http.ts';

/** What the page is told beside `/status`. */
export interface PageSources {
  /** The points of the last hour after a time (milliseconds since 1970). */
  readonly history: (after: number) => readonly HistoryPoint[];
  /** The configuration without its secrets, in YAML. */
  readonly config: () => Promise<string>;
}

/** The page's own files. They are served as they are, and hold nothing about this relay. */
const FOLDER = new URL('./page/', import.meta.url);
const STYLES = ['page.css'];
const SCRIPTS = ['theme', 'page', 'api', 'chart', 'dom', 'figures', 'format', 'parked', 'sections', 'shards'].map(
  (name) => `${name}.js`,
);

/** Nothing from elsewhere, nothing inline, no markup out of strings, in nobody's frame. */
const PAGE_HEADERS = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; '),
};

/** `/`, its files, and what only the page asks for. */
export function pageEndpoints({ history, config }: PageSources): readonly Endpoint[] {
  const files = [
    ...STYLES.map((name) => file(name, 'text/css')),
    ...SCRIPTS.map((name) => file(name, 'text/javascript')),
  ];
  return [
    { ...file('index.html', 'text/html'), path: '/' },
    ...files,
    ...SEVERITIES.map((severity) => icon(severity)),
    { method: 'GET', path: '/page/access', access: 'anyone', answer: ({ access }) => jsonAnswer(access) },
    { method: 'GET', path: '/history', access: 'reader', answer: ({ query }) => jsonAnswer(history(toTime(query))) },
    { method: 'GET', path: '/config', access: 'insider', answer: async () => plain(await config()) },
  ];
}

function file(name: string, mediaType: string): Endpoint {
  const answer = async (): Promise<Answer> => ({
    code: 200,
    contentType: `${mediaType}; charset=utf-8`,
    body: await readFile(new URL(name, FOLDER)),
    headers: PAGE_HEADERS,
  });
  return { method: 'GET', path: `/page/${name}`, access: 'anyone', answer };
}

const ICONS: Readonly<Record<Severity, string>> = {
  ok: '<circle cx="8" cy="8" r="7" fill="#1a7f4b"/><path d="M4.5 8.2 7 10.7l4.5-5" stroke="#fff" stroke-width="2" fill="none"/>',
  working:
    '<circle cx="8" cy="8" r="7" fill="#1f6feb"/><path d="M8 4v4.4l3 1.8" stroke="#fff" stroke-width="2" fill="none"/>',
  warning:
    '<path d="M8 1 15.5 14.5H.5z" fill="#d29922"/><path d="M8 5.5v4.5m0 1.6v1.6" stroke="#000" stroke-width="2"/>',
  critical:
    '<path d="M5 1h6l4 4v6l-4 4H5l-4-4V5z" fill="#cf222e"/><path d="m5 5 6 6m0-6-6 6" stroke="#fff" stroke-width="2"/>',
};

/** What the browser shows beside the title: told apart by form as well as by colour. */
function icon(severity: Severity): Endpoint {
  const body = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">${ICONS[severity]}</svg>\n`;
  const answer = (): Answer => ({ code: 200, contentType: 'image/svg+xml', body });
  return { method: 'GET', path: `/page/${severity}.svg`, access: 'anyone', answer };
}

function plain(body: string): Answer {
  return { code: 200, contentType: 'text/plain; charset=utf-8', body };
}

function toTime(query: AdminRequest['query']): number {
  const after = query.get('after') ?? '0';
  if (!/^[0-9]{1,15}$/.test(after)) throw new BadRequest(400, 'after: expected milliseconds since 1970');
  return Number(after);
}
