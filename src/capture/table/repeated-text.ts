/** Longer ones are rarely the same twice in a row. */
const MAX_LENGTH = 32;

/** The texts of one column, one after the other: one that is the same as the one before it is not decoded again. */
export class RepeatedText {
  #bytes: Buffer = Buffer.alloc(0);
  #start = 0;
  #length = -1;
  #text = '';

  /**
   * The UTF-8 text between `start` and `end`.
   *
   * @param bytes which are not written to afterwards: they are compared with the next text
   */
  read(bytes: Buffer, start: number, end: number): string {
    const length = end - start;
    if (length === this.#length && this.#isSame(bytes, start)) return this.#text;
    const text = bytes.toString('utf8', start, end);
    this.#bytes = bytes;
    this.#start = start;
    this.#length = length <= MAX_LENGTH ? length : -1;
    this.#text = text;
    return text;
  }

  #isSame(bytes: Buffer, start: number): boolean {
    for (let at = 0; at < this.#length; at++) if (bytes[start + at] !== this.#bytes[this.#start + at]) return false;
    return true;
  }
}
