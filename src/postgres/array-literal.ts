import type { RowRef } from '../core/row.ts';

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
