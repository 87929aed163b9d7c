import { randomBytes } from 'node:crypto';

/** A name that no other test uses: of a topic, an exchange, a queue, a role. */
export function uniqueName(prefix: string): string {
  return `${prefix}_${randomBytes(5).toString('hex')}`;
}
