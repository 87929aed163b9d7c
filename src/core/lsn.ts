/**
 * A position in Postgres's write-ahead log: a byte offset, 64 bit, unsigned.
 *
 * A bigint inside the relay and text (`16/B374D848`) at its edges only; the text form does not sort.
 */
export type Lsn = bigint;

const LSN_TEXT = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/;

/**
 * Parses Postgres's text form of a log position (`pg_lsn` output).
 *
 * @throws RangeError when `text` is not two hexadecimal numbers of up to 32 bits with a slash between them
 */
export function parseLsn(text: string): Lsn {
  const match = LSN_TEXT.exec(text);
  if (match === null) throw new RangeError(`not a log position: '${text}' (expected the form 16/B374D848)`);
  return (BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`);
}

/** Prints a log position the way Postgres does: two upper-case hexadecimal numbers without leading zeros. */
export function formatLsn(lsn: Lsn): string {
  return `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffffffffn).toString(16).toUpperCase()}`;
}
