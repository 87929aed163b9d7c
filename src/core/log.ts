/** What a log line carries beside its message. Never payloads; `error` takes anything that was thrown. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Structured logging as the modules see it. Must not throw. */
export interface Log {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  /** A log whose lines all carry these fields as well. */
  child(fields: LogFields): Log;
}
