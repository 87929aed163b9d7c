import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, onTestFinished, test } from 'vitest';
import { findProgram } from './services/child-process.ts';

const PROGRAMS = ['chromium', 'chromium-browser', 'google-chrome'];
/** Besides what the sandbox needs as root: nothing that asks a network for anything but the page. */
const FLAGS = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** A page in a real browser, and all that went wrong in it. */
export interface BrowserPage {
  readonly page: Page;
  /** Errors of scripts and of the console, violations of the page's security policy among them. */
  readonly troubles: readonly string[];
  /** Origins that were asked for anything. */
  readonly origins: ReadonlySet<string>;
}

/** Opens a page; closed when the running test ends. */
export type OpenPage = (url: string, options?: BrowserContextOptions) => Promise<BrowserPage>;

/** A suite of tests in headless Chromium; reported as skipped where there is none. With `CI=true` that is a failure. */
export function describeWithBrowser(title: string, body: (open: OpenPage) => void): void {
  const program = PROGRAMS.map((name) => findProgram(name)).find((found) => found !== undefined);
  describe(title, () => {
    if (program === undefined) {
      if (process.env.CI === 'true') throw new Error(`none of ${PROGRAMS.join(', ')} is in PATH`);
      test.skip(`needs a browser: none of ${PROGRAMS.join(', ')} is in PATH`);
      return;
    }
    let browser: Browser;
    beforeAll(async () => {
      const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
      browser = await chromium.launch({ executablePath: program, args: [...FLAGS, ...sandbox] });
    });
    afterAll(() => browser.close());
    body((url, options) => openPage(browser, url, options));
  });
}

async function openPage(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<BrowserPage> {
  const context = await browser.newContext({ viewport: { width: 1240, height: 900 }, ...options });
  onTestFinished(() => context.close());
  const page = await context.newPage();
  const troubles: string[] = [];
  const origins = new Set<string>();
  page.on('pageerror', (error) => troubles.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') troubles.push(message.text());
  });
  page.on('request', (request) => origins.add(new URL(request.url()).origin));
  await page.goto(url);
  return { page, troubles, origins };
}
