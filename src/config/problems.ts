import type { z } from 'zod';
import { RelayError } from '../core/errors.ts';

/** Where an option stands: keys and list indexes from the top. */
export type OptionPath = readonly (string | number)[];

/** Something that must be mended before the configuration can be used. */
export interface Problem {
  readonly path: OptionPath;
  /** What was expected and how to mend it; never the value that was given. */
  readonly message: string;
}

/** Prints a path as people write it: `routes[0].topic`. */
export function formatPath(path: OptionPath): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return text === '' ? key : `${text}.${key}`;
  }, '');
}

/** Collects problems, so that all of them are told at once. */
export class Problems {
  readonly #problems: Problem[] = [];

  add(path: OptionPath, message: string): void {
    this.#problems.push({ path, message });
  }

  /** Adds what validation found, leaving out what follows from a problem at the same option that is known already. */
  addIssues(issues: readonly z.core.$ZodIssue[]): void {
    const known = new Set(this.#problems.map((problem) => formatPath(problem.path)));
    for (const { path, message } of issues.flatMap(toProblems)) {
      if (!known.has(formatPath(path))) this.add(path, message);
    }
  }

  get none(): boolean {
    return this.#problems.length === 0;
  }

  /**
   * The error that tells all problems, one a line.
   *
   * @param locate says where an option was given, as `relay.yaml:3:8`, or null
   */
  toError(locate: (path: OptionPath) => string | null): RelayError {
    const lines = this.#problems.map(({ path, message }) => {
      const place = locate(path);
      return `  - ${[formatPath(path), place === null ? '' : `(${place})`].filter((part) => part !== '').join(' ')}: ${message}`;
    });
    const count = lines.length === 1 ? 'a problem' : `${lines.length} problems`;
    return new RelayError('config_invalid', [`the configuration has ${count}:`, ...lines].join('\n'));
  }
}

function toProblems(issue: z.core.$ZodIssue): readonly Problem[] {
  const path = issue.path.map((key) => (typeof key === 'number' ? key : String(key)));
  if (issue.code !== 'unrecognized_keys') return [{ path, message: issue.message }];
  const messages = issue.message.split('\n');
  return issue.keys.map((key, index) => ({ path: [...path, key], message: messages[index] ?? 'unknown option' }));
}
