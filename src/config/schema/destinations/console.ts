import { z } from 'zod';
import { section } from '../scalars.ts';

/** A destination of `type: console`: messages are printed, for demonstrations and first steps. */
export const consoleSchema = section({
  type: z.literal('console').describe('Messages are printed on standard output, one JSON object a line.'),
}).describe('Console: prints messages, for first steps. What it has printed counts as published.');
