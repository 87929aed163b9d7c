import type { Log } from '../core/log.ts';
import type { Tap, TapOptions } from '../observe/tap.ts';
import { type AdminRequest, BadRequest, type Channel, type Endpoint, type LiveAnswer } from './http.ts';

/** What may be told of single messages (`admin.tap`). */
export type TapMode = 'off' | 'metadata' | 'payload';

/** What the feed is made from. */
export interface TapSources {
  readonly tap: Pick<Tap, 'full' | 'listen'>;
  readonly mode: TapMode;
  readonly log: Log;
}

const MAX_RATE = 100;
const DEFAULT_RATE = 10;
const MAX_LIMIT = 100_000;
/** An empty line that often, so that both ends know of each other. */
const HEARTBEAT_MS = 5_000;
/** A feed that was forgotten ends by itself. */
const LONGEST_MS = 3_600_000;
const FIELDS = ['destination', 'type', 'key', 'rate', 'limit', 'payload'];

/** `GET /tap`: samples of what is published, a JSON object a line, until `limit`, an hour, or either end stops. */
export function tapEndpoint({ tap, mode, log }: TapSources): Endpoint {
  const answer = (request: AdminRequest): LiveAnswer => {
    if (mode === 'off') throw new BadRequest(403, 'admin.tap is off');
    const { limit, ...options } = toOptions(request.query);
    if (options.payload && mode !== 'payload')
      throw new BadRequest(403, 'payloads are told only with admin.tap: payload');
    if (tap.full) throw new BadRequest(429, 'too many listen already');
    const { remoteAddress: from, gone } = request;
    log.info({ ...options, from }, 'the flow is tapped over the admin port');
    const live = async (channel: Channel): Promise<void> => {
      const feed = new Feed(channel, limit);
      const stop = tap.listen(options, (sample) => feed.offer(JSON.stringify(sample)));
      await feed.ended(gone);
      stop();
    };
    return { contentType: 'application/x-ndjson', live };
  };
  return { method: 'GET', path: '/tap', access: 'insider', answer };
}

/** What one listener is sent. */
class Feed {
  readonly #channel: Channel;
  #left: number;
  #end: () => void = () => undefined;

  constructor(channel: Channel, limit: number) {
    this.#channel = channel;
    this.#left = limit;
  }

  /** False: it is not sent, since the reader is too far behind, or has been sent all that was asked for. */
  offer(line: string): boolean {
    if (this.#left === 0 || !this.#channel.send(line)) return false;
    this.#left--;
    if (this.#left === 0) this.#end();
    return true;
  }

  /** Resolves when all has been sent, the other end has gone, or it has lasted long enough. */
  async ended(gone: AbortSignal): Promise<void> {
    const heartbeat = setInterval(() => this.#channel.send(''), HEARTBEAT_MS);
    const longest = setTimeout(() => this.#end(), LONGEST_MS);
    await new Promise<void>((resolve) => {
      this.#end = resolve;
      if (gone.aborted) resolve();
      gone.addEventListener('abort', () => resolve(), { once: true });
    });
    clearInterval(heartbeat);
    clearTimeout(longest);
  }
}

function toOptions(query: URLSearchParams): TapOptions & { readonly limit: number } {
  for (const name of query.keys())
    if (!FIELDS.includes(name)) throw new BadRequest(400, `unknown field; there are ${FIELDS.join(', ')}`);
  const text = (name: 'destination' | 'type' | 'key') => {
    const value = query.get(name);
    return value === null ? {} : { [name]: value };
  };
  const payload = query.get('payload') ?? 'false';
  if (payload !== 'true' && payload !== 'false') throw new BadRequest(400, 'payload: expected true or false');
  return {
    ...text('destination'),
    ...text('type'),
    ...text('key'),
    rate: toNumber(query, 'rate', DEFAULT_RATE, MAX_RATE),
    limit: toNumber(query, 'limit', MAX_LIMIT, MAX_LIMIT),
    payload: payload === 'true',
  };
}

function toNumber(query: URLSearchParams, name: string, fallback: number, most: number): number {
  const text = query.get(name);
  if (text === null) return fallback;
  const value = /^[0-9]{1,6}$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > most) throw new BadRequest(400, `${name}: expected a number from 1 to ${most}`);
  return value;
}
