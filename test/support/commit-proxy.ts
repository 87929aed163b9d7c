import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import type { ProxiedServer } from './meddling-proxy.ts';

/** A proxy in front of Postgres that knows what its clients commit. */
export interface CommitProxy extends AsyncDisposable {
  readonly port: number;
  /**
   * Asked when the server has committed what a client has written, and the client does not know it yet. False: it never will,
   * since nothing more passes on this connection. To begin with, all is heard.
   *
   * @param kind what was written, by table, with parameters that are words:
   *   `INSERT inbox (stock), UPDATE items, INSERT holds, INSERT outbox (stock.reserved)`
   */
  hears: (kind: string) => boolean;
}

/** Not the locks of a SELECT, nor what an INSERT does about conflicts. */
const WRITES = /(?<!\b(?:FOR|DO) )\b(INSERT INTO|UPDATE|DELETE FROM) (?:"?\w+"?\.)?"?(\w+)/gi;
const WROTE = /^(?:INSERT 0|UPDATE|DELETE) [1-9]/;
/** States, types and names; not ids, amounts or documents. */
const WORDS = /^[a-z]+(?:[ .][a-z]+)*$/;
const TYPES = /"type":"([\w.]+)"/g;

/** Starts a proxy on 127.0.0.1, for clients without TLS. Dispose it at the end. */
export async function commitProxy(target: ProxiedServer): Promise<CommitProxy> {
  const sockets = new Set<Socket>();
  const proxy = { port: 0, hears: (): boolean => true } as { port: number; hears: (kind: string) => boolean };
  const server = createServer((client) => {
    const upstream = connect(target.port, target.host);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    const transactions = new Transactions();
    let deaf = false;
    client.on('data', (chunk) => {
      transactions.sent(chunk);
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      for (const kind of transactions.answered(chunk)) deaf ||= !proxy.hears(kind);
      if (!deaf) client.write(chunk);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  proxy.port = (server.address() as AddressInfo).port;
  return Object.assign(proxy, {
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

/** The transactions of one connection (https://www.postgresql.org/docs/current/protocol-message-formats.html). */
class Transactions {
  readonly #requests = new Messages('startup first');
  readonly #answers = new Messages('typed');
  #parts: string[] = [];
  #lastTag = '';
  #hasWritten = false;
  #hasFailed = false;

  sent(chunk: Buffer): void {
    for (const { type, body } of this.#requests.read(chunk)) {
      if (type === 'Q') this.#add(textAt(body, 0).text);
      else if (type === 'P') this.#add(textAt(body, textAt(body, 0).end).text);
      else if (type === 'B') this.#addWords(valuesOf(body));
    }
  }

  /** @returns the kinds of those that have committed by it, and have written something */
  answered(chunk: Buffer): string[] {
    const committed: string[] = [];
    for (const { type, body } of this.#answers.read(chunk)) {
      if (type === 'C') {
        this.#lastTag = textAt(body, 0).text;
        this.#hasWritten ||= WROTE.test(this.#lastTag);
      } else if (type === 'E') this.#hasFailed = true;
      else if (type === 'Z') {
        if (body.toString() === 'I') committed.push(...this.#end());
        this.#hasFailed = false;
      }
    }
    return committed;
  }

  #end(): string[] {
    const hasCommitted = this.#hasWritten && !this.#hasFailed && this.#lastTag !== 'ROLLBACK';
    const kind = this.#parts.join(', ');
    this.#parts = [];
    this.#hasWritten = false;
    return hasCommitted ? [kind] : [];
  }

  #add(statement: string): void {
    for (const [, verb = '', table = ''] of statement.matchAll(WRITES))
      this.#parts.push(`${verb.split(' ')[0] ?? ''} ${table}`);
  }

  /** To the last statement that writes: what is only read does not tell one kind from another. */
  #addWords(values: readonly string[]): void {
    const types = values.flatMap((value) => [...value.matchAll(TYPES)].map(([, type = '']) => type));
    const words = [...values.filter((value) => WORDS.test(value)), ...types];
    const last = this.#parts.pop();
    if (last !== undefined) this.#parts.push(words.length === 0 ? last : `${last} (${words.join(', ')})`);
  }
}

interface Message {
  readonly type: string;
  readonly body: Buffer;
}

/** Cuts a direction of a connection into its messages: a type, except at the startup packet, and a length that counts itself. */
class Messages {
  #rest = Buffer.alloc(0);
  #hasType: boolean;

  constructor(form: 'startup first' | 'typed') {
    this.#hasType = form === 'typed';
  }

  read(chunk: Buffer): Message[] {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const messages: Message[] = [];
    for (;;) {
      const start = this.#hasType ? 1 : 0;
      if (this.#rest.length < start + 4) return messages;
      const end = start + this.#rest.readInt32BE(start);
      if (this.#rest.length < end) return messages;
      messages.push({ type: this.#rest.toString('latin1', 0, start), body: this.#rest.subarray(start + 4, end) });
      this.#rest = this.#rest.subarray(end);
      this.#hasType = true;
    }
  }
}

function textAt(body: Buffer, start: number): { readonly text: string; readonly end: number } {
  const end = body.indexOf(0, start);
  return { text: body.toString('utf8', start, end), end: end + 1 };
}

/** The parameters of a Bind, behind the names of portal and statement and the parameters' formats. */
function valuesOf(body: Buffer): string[] {
  const formats = textAt(body, textAt(body, 0).end).end;
  let at = formats + 2 + 2 * body.readInt16BE(formats);
  const values: string[] = [];
  const count = body.readInt16BE(at);
  at += 2;
  for (let n = 0; n < count; n++) {
    const length = Math.max(0, body.readInt32BE(at));
    values.push(body.toString('utf8', at + 4, at + 4 + length));
    at += 4 + length;
  }
  return values;
}
