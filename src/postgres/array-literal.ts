import type { RowRef } from '../core/row.ts';

/** Texts as an array literal of `text[]`. */
export function textArray(texts: readonly (string | null)[]): string {
  const quoted = texts.map((text) => (text === null ? 'NULL' : `"${text.replace(/["\\]/g, '\\$&')}"`));
  return `{${quoted.join(',')}}`;
}

/** Positions and ids as the two array literals that `unnest` takes; much cheaper than what `pg` makes of arrays. */
export function refArrays(refs: readonly RowRef[]): [positions: string, ids: string] {
  let positions = '';
  let ids = '';
  for (const { position, id } of refs) {
    const comma = positions === '' ? '' : ',';
    positions += `${comma}${position}`;
    ids += `${comma}"${id.replace(/["\\]/g, '\\$&')}"`;
  }
  return [`{${positions}}`, `{${ids}}`];
}
