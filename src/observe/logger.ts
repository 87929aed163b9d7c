import { type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino';
import { PinoPretty as pretty } from 'pino-pretty';
import type { Log, LogFields } from '../core/log.ts';
import { redactFields, redactText } from './redact.ts';

/** How much is logged. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** How log lines look: JSON, made for the eye, or by whether `stream` is a terminal. */
export type LogFormat = 'auto' | 'json' | 'pretty';

/** How to log. */
export interface LoggerOptions {
  /** @default 'info' */
  readonly level?: LogLevel;
  /** @default 'auto' */
  readonly format?: LogFormat;
  /** Where the lines go. @default process.stdout */
  readonly stream?: NodeJS.WritableStream & { readonly isTTY?: boolean };
}

/** A structured log: one JSON object a line with `time`, `level`, `msg` and the fields; secrets are taken out. */
export function createLogger(options: LoggerOptions = {}): Log {
  const stream = options.stream ?? process.stdout;
  const terminal = stream.isTTY === true;
  const lines = options.format === 'pretty' || (options.format !== 'json' && terminal);
  const destination: DestinationStream = lines
    ? pretty({ destination: stream, colorize: terminal, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss.l' })
    : { write: (line) => stream.write(line) };
  const settings = {
    level: options.level ?? 'info',
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return new PinoLog(pino(settings, destination));
}

class PinoLog implements Log {
  readonly #pino: Logger;

  constructor(logger: Logger) {
    this.#pino = logger;
  }

  debug(fields: LogFields, message: string): void {
    if (this.#pino.isLevelEnabled('debug')) this.#pino.debug(redactFields(fields), redactText(message));
  }

  info(fields: LogFields, message: string): void {
    this.#pino.info(redactFields(fields), redactText(message));
  }

  warn(fields: LogFields, message: string): void {
    this.#pino.warn(redactFields(fields), redactText(message));
  }

  error(fields: LogFields, message: string): void {
    this.#pino.error(redactFields(fields), redactText(message));
  }

  child(fields: LogFields): Log {
    return new PinoLog(this.#pino.child(redactFields(fields)));
  }
}
