import { RelayError } from '../core/errors.ts';
import type { OutboxRow } from '../core/row.ts';
import type { OutboxTable } from '../core/table.ts';
import { compileTemplate } from './template.ts';

/** Kafka counts partitions in 32 bits. */
const LARGEST = 2 ** 31 - 1;

/**
 * Compiles which partition a row is for; null where its column is null: then the key decides.
 *
 * @param where the option it stands in, for messages
 * @returns a function that throws RelayError `route_template` for what is no number of a partition
 * @throws RelayError `config_invalid`
 */
export function compilePartition(
  template: string,
  table: OutboxTable,
  where: string,
): (row: OutboxRow) => number | null {
  const { render } = compileTemplate(template, table, where);
  return (row) => {
    const text = render(row);
    if (text === null) return null;
    const partition = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
    if (!(partition <= LARGEST)) throw new RelayError('route_template', `${where}: not the number of a partition`);
    return partition;
  };
}
