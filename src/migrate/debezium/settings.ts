/** One setting as it is written. */
export interface Setting {
  /** Its name where it stands: `debezium.source.slot.name`, or `slot.name` for a connector of Kafka Connect. */
  readonly name: string;
  readonly value: string;
}

/**
 * Settings by names that Debezium Server and Kafka Connect have in common: `source.slot.name`, `transforms.outbox.type`,
 * `sink.kafka.producer.acks`. Remembers which were asked for, so that none is lost without a word.
 */
export class Settings {
  readonly #settings: ReadonlyMap<string, Setting>;
  readonly #used = new Set<string>();

  constructor(settings: ReadonlyMap<string, Setting>) {
    this.#settings = settings;
  }

  /** The value, trimmed; undefined when there is none, or an empty one. */
  text(name: string): string | undefined {
    this.#used.add(name);
    const value = this.#settings.get(name)?.value.trim();
    return value === '' ? undefined : value;
  }

  /** `true` in any case of letters. */
  flag(name: string, fallback: boolean): boolean {
    const value = this.text(name);
    return value === undefined ? fallback : value.toLowerCase() === 'true';
  }

  /** The entries of a list with commas. */
  list(name: string): readonly string[] {
    return (this.text(name) ?? '')
      .split(',')
      .map((entry) => entry.trim())
      .filter((entry) => entry !== '');
  }

  /** As it is written where it stands; the name itself when it is not there. */
  nameOf(name: string): string {
    return this.#settings.get(name)?.name ?? name;
  }

  /** Whether there is any setting with this beginning. Does not count as asked for. */
  hasAny(prefix: string): boolean {
    return [...this.#settings.keys()].some((name) => name.startsWith(prefix));
  }

  /** Those that nobody has asked for yet, by their common names. */
  unused(prefix = ''): readonly (readonly [name: string, setting: Setting])[] {
    return [...this.#settings].filter(([name]) => name.startsWith(prefix) && !this.#used.has(name));
  }

  /** Counts as asked for: it has been said what becomes of it. */
  settle(name: string): void {
    this.#used.add(name);
  }
}
