import { ERROR_CATALOGUE, type CatalogueEntry, type ErrorClass } from '../../src/core/error-catalogue.ts';
import { generatedFrom, page } from './markdown.ts';

const CLASSES: Readonly<Record<ErrorClass, string>> = {
  transient:
    'The relay tries again with growing pauses; rows wait in the table. Nothing has to be done unless it goes on.',
  configuration: 'Somebody has to mend something. The relay tells it, and goes on trying slowly.',
  row: 'One row is at fault. It is set aside as its route says (`onError`), and the rest flows.',
  fatal: 'Going on would break a promise: the relay stops with a non-zero exit code.',
};

/** `docs/errors.md`. */
export function errorsPage(): string {
  const entries: readonly (readonly [string, CatalogueEntry])[] = Object.entries(ERROR_CATALOGUE);
  const groups = (Object.keys(CLASSES) as ErrorClass[]).map((kind) => {
    const codes = entries.filter(([, entry]) => entry.class === kind).map(([code, entry]) => describe(code, entry));
    return [`## ${kind}`, CLASSES[kind], ...codes].join('\n\n');
  });
  return page(
    generatedFrom('src/core/error-catalogue.ts'),
    '# Errors',
    `Every error has a stable code. It stands in the log (\`code\`), in \`/status\`, in the metric \`outbox_relay_errors_total{code}\`
and with rows that are set aside. The class says what the relay does about it.`,
    ...groups,
  );
}

function describe(code: string, { meaning, remedy }: CatalogueEntry): string {
  return `### \`${code}\`\n\n${meaning}\n\n**What to do:** ${remedy}`;
}
