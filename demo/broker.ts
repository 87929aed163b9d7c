/** Tells that the message of a row has come out, with a line to show. */
export type OnArrival = (id: string, line: string) => void;

/** Where the demo publishes to, and how it reads back what has arrived. */
export interface DemoBroker {
  /** For the heading, such as `Kafka at localhost:9092`. */
  readonly title: string;
  /** The parts `destinations` and `routes` of the relay's configuration. */
  readonly config: { readonly destinations: Readonly<Record<string, unknown>>; readonly routes: readonly unknown[] };
  /** Gets each line of the relay's standard output. */
  readonly onLine: (line: string) => void;
  /** Takes away what the demo made at the broker, or the broker itself where the demo started it. */
  [Symbol.asyncDispose](): Promise<void>;
}
