/** How Java and Jackson write values: what consumers of Kafka Connect's JsonConverter are used to, to the byte. */

const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i;

/** Powers of ten between which `Double.toString` writes a number without an exponent. */
const PLAIN_FROM = -3;
const PLAIN_BELOW = 7;

/**
 * Writes a number as `Double.toString` of JDK 19 and later does: `12.0`, `1.0E10`, `1.0E-5`.
 *
 * @param text the shortest decimal that stands for the number, as JavaScript and Postgres print it
 */
export function javaFloat(text: string): string {
  const [, sign, whole, fraction = '', exponent = '0'] = DECIMAL.exec(text) ?? [];
  if (sign === undefined || whole === undefined) return text;
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  if (digits === '') return `${sign}0.0`;
  const significant = digits.replace(/0+$/, '');
  // of the first digit
  const power = digits.length - 1 - fraction.length + Number(exponent);
  if (power < PLAIN_FROM || power >= PLAIN_BELOW) {
    return `${sign}${significant.charAt(0)}.${significant.slice(1) || '0'}E${power}`;
  }
  if (power < 0) return `${sign}0.${'0'.repeat(-power - 1)}${significant}`;
  const padded = significant.padEnd(power + 2, '0');
  return `${sign}${padded.slice(0, power + 1)}.${padded.slice(power + 1)}`;
}

/** Quotes a text as Jackson does: as `JSON.stringify`, but `\u001F` in capitals, and characters past U+FFFF as two escapes. */
export function jacksonString(text: string): string {
  return JSON.stringify(text)
    .replace(/\\(?:u[0-9a-f]{4}|.)/g, (escape) =>
      escape.startsWith('\\u') ? `\\u${escape.slice(2).toUpperCase()}` : escape,
    )
    .replace(/[\ud800-\udfff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).toUpperCase()}`);
}
