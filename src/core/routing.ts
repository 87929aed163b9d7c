/** Routing as the relay sees it: a pure function from a row to a message for one destination, or to the fault that prevents it. */
import type { RelayError } from './errors.ts';
import type { Header, OutgoingMessage } from './message.ts';
import type { OutboxRow } from './row.ts';
import type { MessageTrace } from './trace.ts';

/** What is done with a row that is refused for good. */
export type OnError = 'park-key' | 'dead-letter' | 'halt';

/** A row, routed. */
export interface RoutedMessage {
  readonly destination: string;
  readonly row: OutboxRow;
  readonly message: OutgoingMessage;
  readonly fault: null;
}

/** A row that cannot become a message. */
export interface RoutedFault {
  /** Whose business it is: the route's destination, or the first configured one when no route takes the row. */
  readonly destination: string;
  readonly row: OutboxRow;
  readonly message: null;
  readonly fault: RelayError;
  /** The message key where it could be determined. */
  readonly key: string | null;
  /** Index of the route, or -1 when none takes the row. */
  readonly route: number;
  /** Those that the message would have had, as far as they could be determined. */
  readonly headers?: readonly Header[];
  /** Its span; null or left out: it is not traced. */
  readonly trace?: MessageTrace | null;
}

export type Routed = RoutedMessage | RoutedFault;

/** The configured routes, compiled. */
export interface Router {
  route(row: OutboxRow): Routed;
  /** What a route does with rows at fault; `park-key` for -1. */
  onError(route: number): OnError;
  /** The dead letter of a row at fault: what could be said of it, with the reason in its headers. Null: the route has none. */
  deadLetter(routed: Routed, fault: RelayError): OutgoingMessage | null;
}
