import type { Plugin } from 'vitest/config';

/** A textual change of one source file, `from` to `to`. */
export interface Edit {
  /** The end of its path, such as `src/relay/machine.ts`. */
  readonly file: string;
  /** Must occur exactly once. */
  readonly from: string;
  readonly to: string;
}

const QUERY = /\?mutant=([\w-]+)$/;

/** The specifier by which a module is imported with edits in it, or in any module that it imports. */
export function mutated(specifier: string, edits: readonly Edit[]): string {
  return `${specifier}?mutant=${Buffer.from(JSON.stringify(edits)).toString('base64url')}`;
}

/**
 * Lets tests import mutants of the source: a module that is imported by a name of {@link mutated} is loaded anew, with
 * all that it imports by relative paths, and with the edits in it. Nothing is written to disk.
 *
 * An edit that does not apply exactly once, since the source has changed, makes the import fail.
 */
export function mutants(): Plugin {
  return {
    name: 'mutants',
    enforce: 'pre',
    async resolveId(source, importer) {
      const query = QUERY.exec(importer ?? '')?.[0];
      if (query === undefined || !source.startsWith('.')) return null;
      const original = await this.resolve(source, importer?.slice(0, -query.length), { skipSelf: true });
      return original === null ? null : original.id + query;
    },
    transform(code, id) {
      const query = QUERY.exec(id);
      if (query === null) return null;
      const path = id.slice(0, -query[0].length);
      const edits = JSON.parse(Buffer.from(query[1] ?? '', 'base64url').toString()) as readonly Edit[];
      return edits.filter(({ file }) => path.endsWith(file)).reduce(apply, code);
    },
  };
}

function apply(code: string, { file, from, to }: Edit): string {
  const pieces = code.split(from);
  if (pieces.length !== 2) throw new Error(`to be changed once in ${file}, found ${pieces.length - 1} times: ${from}`);
  return pieces.join(to);
}
