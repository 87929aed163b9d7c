import { Duplex } from 'node:stream';
import type { Channel, ChannelModel, ConfirmChannel, Options } from 'amqplib';
import { RelayError } from '../../core/errors.ts';
import { current } from '../../core/renewal.ts';
import { withDeadline } from './deadline.ts';
import { givenUp, rabbitmqError } from './errors.ts';
import { FrameWriter } from './frame-writer.ts';
import type { RabbitmqOptions } from './options.ts';
import type { Publication } from './properties.ts';
import { tlsOptions } from '../tls.ts';

/** What befalls a connection. None of it is called after {@link Connection.destroy} or {@link Connection.close}. */
export interface ConnectionListener {
  /** The connection is gone; called once. */
  lost(error: RelayError): void;
  /** The broker has an alarm (memory, disk) and reads nothing more until `unblocked`. */
  blocked(reason: string): void;
  unblocked(): void;
}

/**
 * One connection to a broker, made for one session. amqplib answers some failures by events, some by promises that
 * never settle and some by nothing at all; here each wait has a deadline, and the end is told once.
 */
export class Connection {
  readonly #model: ChannelModel;
  readonly #lifeline: AbortController;
  readonly #deadlineMs: number;
  readonly #frames: FrameWriter;
  /** `host:port`, for messages. */
  readonly where: string;
  /** The largest frame the broker takes, in bytes. */
  readonly frameMax: number;
  #listener: ConnectionListener | null = null;
  #ended: RelayError | null = null;

  constructor(model: ChannelModel, lifeline: AbortController, where: string, deadlineMs: number) {
    this.#model = model;
    this.#lifeline = lifeline;
    this.where = where;
    this.#deadlineMs = deadlineMs;
    const { stream, frameMax } = internalsOf(model);
    this.frameMax = frameMax;
    this.#frames = new FrameWriter(stream, frameMax);
    model.on('error', (error) => this.#lost(error));
    model.on('close', (error) => this.#lost(error ?? new Error('the broker closed the connection')));
    model.on('blocked', (reason) => this.#listener?.blocked(reason));
    model.on('unblocked', () => this.#listener?.unblocked());
  }

  /** RabbitMQ's own name and version, as it gives them. */
  get server(): string {
    const { product, version } = this.#model.connection.serverProperties;
    return `${product} ${version}`;
  }

  /** Who hears what befalls the connection from now on; what has befallen it already is told at once. */
  listen(listener: ConnectionListener): void {
    this.#listener = listener;
    if (this.#ended !== null) this.#tellLost(this.#ended);
  }

  /** A channel with confirms. Its `error` and `close` events are the caller's to hear. */
  openConfirmChannel(): Promise<ConfirmChannel> {
    return this.#open(() => this.#model.createConfirmChannel({ highWaterMark: CHANNEL_BUFFER }), 'opening a channel');
  }

  /**
   * Does something on a channel of its own, which is closed afterwards: the broker closes a channel on which, say, an
   * exchange is asked for that is not there.
   */
  async onOwnChannel<T>(what: string, action: (channel: Channel) => Promise<T>): Promise<T> {
    const channel = await this.#open(() => this.#model.createChannel(), what);
    channel.on('error', () => undefined);
    try {
      return await withDeadline(action(channel), this.#deadlineMs, what);
    } catch (error) {
      throw rabbitmqError(error, 'examine', what);
    } finally {
      closeQuietly(channel);
    }
  }

  /** Adds a message to what the next {@link flush} writes. */
  publish(channel: number, publication: Publication): void {
    this.#frames.publish(channel, publication);
  }

  /** Writes what was published since the last time. */
  flush(): void {
    this.#frames.flush();
  }

  /** Ends it at once. What was written and not yet answered may still be published by the broker. */
  destroy(reason: string): void {
    this.#listener = null;
    this.#lifeline.abort(new Error(reason));
  }

  /** Ends it politely, or by force at the deadline. */
  async close(deadlineMs: number): Promise<void> {
    this.#listener = null;
    try {
      if (this.#ended === null) await withDeadline(this.#model.close(), deadlineMs, 'closing the connection');
    } catch {
      // The connection ends either way, and nothing depends on how.
    }
    this.destroy('closed');
  }

  async #open<C extends Channel>(create: () => Promise<C>, what: string): Promise<C> {
    try {
      return await withDeadline(create(), this.#deadlineMs, `${what} at ${this.where}`);
    } catch (error) {
      throw this.#ended ?? rabbitmqError(error, 'publish', `${what} at ${this.where}`);
    }
  }

  #lost(error: unknown): void {
    if (this.#ended !== null) return;
    this.#ended = rabbitmqError(error, 'publish', `the connection to ${this.where} was lost`);
    this.#lifeline.abort(error);
    this.#tellLost(this.#ended);
  }

  #tellLost(error: RelayError): void {
    const listener = this.#listener;
    this.#listener = null;
    listener?.lost(error);
  }
}

/**
 * Connects to the first host that answers.
 *
 * @throws RelayError of the last host tried
 */
export async function connect(given: RabbitmqOptions, signal: AbortSignal): Promise<Connection> {
  const { connect: connectAmqp } = await import('amqplib');
  const options = current(given);
  let failure: RelayError | null = null;
  for (const { host, port } of options.hosts) {
    if (signal.aborted) throw givenUp();
    const where = `${host}:${port}`;
    // Aborting it destroys the socket, which ends an amqplib connection in every state it may be in.
    const lifeline = new AbortController();
    const abort = () => lifeline.abort(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    try {
      const connecting = connectAmqp(target(options, host, port), socketOptions(options, lifeline.signal));
      const model = await withDeadline(connecting, options.connectTimeout, `connecting to ${where}`);
      return new Connection(model, lifeline, where, options.connectTimeout);
    } catch (error) {
      lifeline.abort(error);
      failure = rabbitmqError(error, 'connect', `connecting to ${where}`);
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }
  throw signal.aborted || failure === null ? givenUp() : failure;
}

/** What is used of amqplib beyond what it documents. */
interface Internals {
  readonly stream: Duplex;
  readonly frameMax: number;
}

/** @throws RelayError `internal` when this is another amqplib than the one that it was written for */
function internalsOf(model: ChannelModel): Internals {
  const { stream, frameMax } = model.connection as Partial<Internals>;
  if (!(stream instanceof Duplex) || frameMax === undefined) throw otherAmqplib();
  return { stream, frameMax };
}

/** The number of a channel on its connection. @throws RelayError `internal` likewise */
export function channelNumber(channel: Channel): number {
  const { ch } = channel as { readonly ch?: number };
  if (ch === undefined) throw otherAmqplib();
  return ch;
}

function otherAmqplib(): RelayError {
  return new RelayError('internal', 'this version of amqplib is not one that the relay can publish with');
}

const FRAME_MAX = 131_072;
/** Frames that a channel buffers before `publish` returns false, which is of no interest: the window bounds them. */
const CHANNEL_BUFFER = 4096;
const SOCKET_BUFFER = 1024 * 1024;

function target(options: RabbitmqOptions, host: string, port: number): Options.Connect {
  return {
    protocol: options.tls === null ? 'amqp' : 'amqps',
    hostname: host,
    port,
    username: options.user,
    password: options.password,
    // amqplib unescapes the name, in this form too.
    vhost: encodeURIComponent(options.vhost),
    heartbeat: options.heartbeat,
    frameMax: FRAME_MAX,
    channelMax: 0,
  };
}

function socketOptions(options: RabbitmqOptions, signal: AbortSignal): Record<string, unknown> {
  return {
    // With Nagle's algorithm a body over 2 kB, which amqplib writes after its header, waits 40 ms for a delayed ACK.
    noDelay: true,
    keepAlive: true,
    keepAliveDelay: 30_000,
    timeout: options.connectTimeout,
    signal,
    writableHighWaterMark: SOCKET_BUFFER,
    highWaterMark: SOCKET_BUFFER,
    clientProperties: { connection_name: options.appId },
    ...(options.tls !== null && tlsOptions(options.tls)),
  };
}

function closeQuietly(channel: Channel): void {
  try {
    channel.close().catch(() => undefined);
  } catch {
    // Closed by the broker already.
  }
}
