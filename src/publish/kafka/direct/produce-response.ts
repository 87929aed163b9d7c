import { partitionName, type PartitionAnswer } from '../driver.ts';
import { UnreadableAnswer } from '../errors.ts';

/** Base offset, time of the append and start of the log, 8 bytes each: nobody asks for them. */
const OFFSETS_AND_TIME = 24;

/** From this version on, partitions tell which records are at fault, and why. */
const RECORD_ERRORS_SINCE = 8;

/**
 * Reads the body of the answer to a Produce request, version 7 or 8.
 *
 * @param asked the partitions that the request had, by {@link partitionName}
 * @returns what became of each of them
 * @throws UnreadableAnswer unless the answer is for these partitions, each once, and ends where it should
 */
export function readProduceResponse(
  bytes: Buffer,
  version: number,
  asked: ReadonlySet<string>,
): ReadonlyMap<string, PartitionAnswer> {
  const cursor = new Cursor(bytes);
  const answers = new Map<string, PartitionAnswer>();
  for (let topics = cursor.count(); topics > 0; topics--) {
    const topic = cursor.text();
    for (let partitions = cursor.count(); partitions > 0; partitions--) {
      const name = partitionName(topic, cursor.int32());
      if (!asked.has(name) || answers.has(name)) throw new UnreadableAnswer(`an answer for ${name}, not asked for`);
      answers.set(name, readPartition(cursor, version));
    }
  }
  cursor.int32(); // for how long the broker throttles this client, which it does by itself
  if (!cursor.atEnd()) throw new UnreadableAnswer('the answer is longer than it should be');
  if (answers.size !== asked.size) throw new UnreadableAnswer('no answer for a partition');
  return answers;
}

function readPartition(cursor: Cursor, version: number): PartitionAnswer {
  const code = cursor.int16();
  cursor.skip(OFFSETS_AND_TIME);
  const culprits: number[] = [];
  if (version >= RECORD_ERRORS_SINCE) {
    for (let errors = cursor.count(); errors > 0; errors--) {
      culprits.push(cursor.int32());
      cursor.text(); // what is wrong with the record
    }
    cursor.text(); // what is wrong with all of them
  }
  return { code, culprits };
}

/** Reads from front to back and never behind the end. */
class Cursor {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  skip(length: number): void {
    this.#take(length);
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#take(2));
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#take(4));
  }

  /** The length of an array; null has none. */
  count(): number {
    return Math.max(0, this.int32());
  }

  /** A text; null is ''. */
  text(): string {
    const length = Math.max(0, this.int16());
    const at = this.#take(length);
    return this.#bytes.toString('utf8', at, at + length);
  }

  /** Steps over so many bytes and returns where they begin. */
  #take(length: number): number {
    const at = this.#at;
    this.#at += length;
    if (this.#at > this.#bytes.length) throw new UnreadableAnswer('the answer is shorter than it should be');
    return at;
  }
}
