import type { z } from 'zod';
import { refuse } from './scalars.ts';

/** Runs a parser inside a transformation and turns its RangeError into an issue at `path`. */
export function attempt<T>(context: z.core.$RefinementCtx, path: readonly string[], parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return refuse(context, error.message, path);
  }
}

/** Options that a URL states too are refused: what is given twice might be given differently, and no precedence is guessed. */
export function rejectRepetition(
  urlOption: string,
  inUrl: Readonly<Record<string, unknown>> | undefined,
  given: Readonly<Record<string, unknown>>,
  context: z.core.$RefinementCtx,
): void {
  if (inUrl === undefined) return;
  for (const [option, value] of Object.entries(given)) {
    if (value === undefined || inUrl[option] === undefined) continue;
    context.addIssue({
      code: 'custom',
      path: [option],
      message: `is given by ${urlOption} as well: say it in one place`,
    });
  }
}
