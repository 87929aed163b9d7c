import { createHash } from 'node:crypto';
import type { Config } from '../config/index.ts';

/**
 * What the slots of this relay begin with: the configured prefix and a hash of the table's name. A new leader ends the
 * slots of its predecessors by it, and must not end those of a relay for another outbox table of the same server.
 */
export function slotPrefix({ capture, postgres, table }: Config): string {
  const identity = JSON.stringify([postgres.database, table.schema, table.name]);
  return `${capture.slotPrefix}_${createHash('sha256').update(identity).digest('hex').slice(0, 8)}`;
}
