/** Metrics as a scraper gets them. */
export interface Exposition {
  readonly contentType: string;
  readonly body: string;
}

const OPENMETRICS = 'application/openmetrics-text';
const PLAIN: readonly string[] = ['text/plain', 'text/*', '*/*'];

/** Whether a scraper prefers OpenMetrics, by its header `accept`: it must name it, and no other format before it. */
export function wantsOpenMetrics(accept: string | undefined): boolean {
  const ranges = (accept ?? '').split(',').map(mediaRange);
  const best = (types: readonly string[]): number =>
    Math.max(0, ...ranges.filter(({ type }) => types.includes(type)).map(({ quality }) => quality));
  const wanted = best([OPENMETRICS]);
  return wanted > 0 && wanted >= best(PLAIN);
}

/**
 * Turns the text format into OpenMetrics 1.0: counters are named without `_total` where they are described, there are no
 * empty lines, quotes in descriptions are escaped, and the end is marked. Not by prom-client, which would rename its
 * counters in the text format, too, from then on.
 *
 * @param text all that is exposed, with exemplars if there are any
 */
export function openMetricsText(text: string): string {
  const counters = new Set([...text.matchAll(/^# TYPE (\S+)_total counter$/gm)].map(([, name]) => `${name}_total`));
  const lines = text.split('\n').flatMap((line) => {
    if (line === '') return [];
    const [, keyword, name, rest] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (keyword === undefined || name === undefined || rest === undefined) return [line];
    const family = counters.has(name) ? name.slice(0, -'_total'.length) : name;
    return [`# ${keyword} ${family} ${keyword === 'HELP' ? rest.replaceAll('"', '\\"') : rest}`];
  });
  return `${lines.join('\n')}\n# EOF\n`;
}

function mediaRange(text: string): { readonly type: string; readonly quality: number } {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim());
  const given = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
  const quality = given === undefined ? 1 : Number(given);
  return { type: type.toLowerCase(), quality: Number.isNaN(quality) ? 0 : quality };
}
