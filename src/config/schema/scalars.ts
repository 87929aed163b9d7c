/** The building blocks of the schema: each knows how to say what it expects, and never repeats what it was given. */
import { z } from 'zod';
import { parseTemplate } from '../../core/template.ts';
import { didYouMean } from '../../core/suggest.ts';
import { DURATION_PATTERN, SIZE_PATTERN, parseDuration, parseSize } from '../units.ts';

/** Facts about an option that the JSON schema and the options page need beyond zod's own. */
export interface OptionMeta {
  /** How the value is written. */
  readonly kind: 'duration' | 'size' | 'integer' | 'number' | 'boolean' | 'choice' | 'text' | 'template' | 'list';
  /** The bounds, in words: `10ms to 1m`. */
  readonly range?: string;
  readonly unit?: 'ms' | 'bytes';
  /** What holds where the option is left out, as it is written; for options whose default depends on others. */
  readonly fallback?: string | number;
  /** Never printed, logged or quoted in a message. */
  readonly secret?: true;
}

const meta = (facts: OptionMeta): Record<string, unknown> => ({ ...facts });

interface Bounds {
  /** Inclusive, in the notation of the option. */
  readonly min: string;
  /** Inclusive, in the notation of the option. */
  readonly max: string;
}

type Unit = Pick<OptionMeta, 'kind' | 'unit'> & {
  readonly pattern: string;
  readonly example: string;
  readonly parse: (text: string) => number | null;
};

const DURATION: Unit = {
  kind: 'duration',
  unit: 'ms',
  pattern: DURATION_PATTERN,
  example: 'a number with a unit, such as 250ms, 10s or 5m',
  parse: parseDuration,
};

const SIZE: Unit = {
  kind: 'size',
  unit: 'bytes',
  pattern: SIZE_PATTERN,
  example: 'a number with a unit, such as 500kB, 16MiB or 1GiB',
  parse: parseSize,
};

/** A duration such as `250ms`, within bounds; milliseconds in the result. */
export const duration = (bounds: Bounds) => quantity(DURATION, bounds);

/** A size such as `16MiB`, within bounds; bytes in the result. */
export const size = (bounds: Bounds) => quantity(SIZE, bounds);

function quantity({ parse, pattern, example, ...facts }: Unit, { min, max }: Bounds) {
  const low = parse(min) ?? Number.NaN;
  const high = parse(max) ?? Number.NaN;
  const article = `expected a ${facts.kind}`;
  return z
    .string({ error: (issue) => `${missing(issue.input)}${article}: ${example}` })
    .transform((text, context) => {
      const value = parse(text);
      if (value === null) return refuse(context, `${article}: ${example}`);
      if (value < low || value > high) return refuse(context, `${article} from ${min} to ${max}`);
      return value;
    })
    .meta({ ...meta({ ...facts, range: `${min} to ${max}` }), pattern });
}

/** A whole number within bounds; digits in a string will do, since environment variables are strings. */
export function integer(min: number, max: number) {
  const expected = `expected a whole number from ${min} to ${max}`;
  return z
    .union([z.number(), z.string()], { error: (issue) => `${missing(issue.input)}${expected}` })
    .transform((given, context) => {
      const value = typeof given === 'string' && /^-?[0-9]{1,15}$/.test(given) ? Number(given) : given;
      if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
        return refuse(context, expected);
      }
      return value;
    })
    .meta({ ...meta({ kind: 'integer', range: `${min} to ${max}` }), minimum: min, maximum: max });
}

/** A number within bounds, both included; as a string too, since environment variables are strings. */
export function number(min: number, max: number) {
  const expected = `expected a number from ${min} to ${max}`;
  return z
    .union([z.number(), z.string()], { error: (issue) => `${missing(issue.input)}${expected}` })
    .transform((given, context) => {
      const value = typeof given === 'string' && /^[0-9]*\.?[0-9]+$/.test(given) ? Number(given) : given;
      if (typeof value !== 'number' || value < min || value > max) return refuse(context, expected);
      return value;
    })
    .meta({ ...meta({ kind: 'number', range: `${min} to ${max}` }), minimum: min, maximum: max });
}

/** `true` or `false`; as a string too, since environment variables are strings. */
export const flag = () =>
  z
    .union([z.boolean(), z.enum(['true', 'false'])], {
      error: (issue) => `${missing(issue.input)}expected true or false`,
    })
    .transform((given) => given === true || given === 'true')
    .meta(meta({ kind: 'boolean' }));

/** One of a few words. */
export const choice = <const Words extends readonly [string, ...string[]]>(words: Words) =>
  z
    .enum(words, {
      error: (issue) => {
        const near = typeof issue.input === 'string' ? didYouMean(issue.input, words) : null;
        return `${missing(issue.input)}expected ${oneOf(words)}${near === null ? '' : ` (did you mean '${near}'?)`}`;
      },
    })
    .meta(meta({ kind: 'choice' }));

/** A text that is not empty. `what` says what it stands for: `a host name`. */
export const text = (what: string, pattern?: RegExp) => {
  const expected = `expected ${what}`;
  const schema = z.string({ error: (issue) => `${missing(issue.input)}${expected}` });
  const checked = pattern === undefined ? schema.min(1, expected) : schema.regex(pattern, expected);
  return checked.meta(meta({ kind: 'text' }));
};

/** A text that must never be printed. */
export const secret = (what: string) =>
  z
    .string({ error: (issue) => `${missing(issue.input)}expected ${what} (quote it when it is all digits)` })
    .meta(meta({ kind: 'text', secret: true }));

/** A route template: text with `${column}` in it. */
export const template = (what: string) =>
  z
    .string({ error: (issue) => `${missing(issue.input)}expected ${what}, such as outbox.event.\${aggregatetype}` })
    .superRefine((given, context) => {
      try {
        parseTemplate(given);
      } catch (error) {
        context.addIssue({ code: 'custom', message: error instanceof RangeError ? error.message : 'not a template' });
      }
    })
    .meta(meta({ kind: 'template' }));

/** `host:port` entries, as a list or in one text with commas between them. */
export const hostPorts = (example: string) => {
  const expected = `expected addresses of the form host:port, as a list or separated by commas, such as ${example}`;
  return z
    .union([z.string(), z.array(z.string())], { error: (issue) => `${missing(issue.input)}${expected}` })
    .transform((given, context) => {
      const entries = (typeof given === 'string' ? given.split(',') : given).map((entry) => entry.trim());
      const valid = entries.length > 0 && entries.every((entry) => isHostPort(entry));
      return valid ? entries : refuse(context, expected);
    })
    .meta(meta({ kind: 'list' }));
};

function isHostPort(entry: string): boolean {
  const match = /^(?:\[[0-9a-fA-F:.]+\]|[^\s:/@[\]]+):([0-9]{1,5})$/.exec(entry);
  const port = Number(match?.[1]);
  return port >= 1 && port <= 65535;
}

/** A group of options: a key that is not known is an error that says what was probably meant. */
export const section = <Shape extends z.core.$ZodLooseShape>(shape: Shape) =>
  z.strictObject(shape, {
    error: (issue) => {
      if (issue.code !== 'unrecognized_keys') return `${missing(issue.input)}expected a section with options`;
      return issue.keys.map((key) => unknownOption(key, Object.keys(shape))).join('\n');
    },
  });

/** Says that an option does not exist, and which one may be meant. */
export function unknownOption(key: string, known: readonly string[]): string {
  const near = didYouMean(key, known);
  return `unknown option '${key}': ${near === null ? `known here are ${known.join(', ')}` : `did you mean '${near}'?`}`;
}

/** Reports a custom issue from a transformation and ends it. */
export function refuse(context: z.core.$RefinementCtx, message: string, path: readonly PropertyKey[] = []): never {
  context.addIssue({ code: 'custom', message, path: [...path] });
  return z.NEVER;
}

const missing = (input: unknown): string => (input === undefined || input === null ? 'is missing: ' : '');

/** `a, b or c`. */
export function oneOf(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words[words.length - 1] ?? ''}`;
}
