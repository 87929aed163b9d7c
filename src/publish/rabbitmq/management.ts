import { describeError, RelayError } from '../../core/errors.ts';
import { current } from '../../core/renewal.ts';
import { fetchText } from '../http.ts';
import type { RabbitmqOptions } from './options.ts';
import type { Binding, QueueSetup } from './queue-safety.ts';
import { tlsOptions } from '../tls.ts';

/** The management API's usual address, for a destination that does not name it. */
export function usualManagementUrl(options: RabbitmqOptions): string {
  const host = options.hosts[0]?.host ?? '127.0.0.1';
  const literal = host.includes(':') ? `[${host}]` : host;
  return options.tls === null ? `http://${literal}:15672` : `https://${literal}:15671`;
}

/**
 * Asks the management API for all queues and bindings of the virtual host.
 *
 * @throws RelayError when it does not answer, or not so
 */
export async function readQueues(
  options: RabbitmqOptions,
  managementUrl: string,
): Promise<{ queues: QueueSetup[]; bindings: Binding[] }> {
  const vhost = encodeURIComponent(options.vhost);
  const columns = 'name,type,arguments,effective_policy_definition';
  const queues = await get(options, managementUrl, `/api/queues/${vhost}?columns=${columns}`);
  const bindings = await get(options, managementUrl, `/api/bindings/${vhost}`);
  return { queues: records(queues).map(toQueue), bindings: records(bindings).map(toBinding) };
}

/** A queue or binding that takes longer than this to be told is none that `open` should wait for. In milliseconds. */
const TIMEOUT = 5000;
const MAX_BYTES = 64 * 1024 * 1024;

function toQueue(record: Readonly<Record<string, unknown>>): QueueSetup {
  return {
    name: text(record.name),
    type: text(record.type ?? 'classic'),
    arguments: object(record.arguments),
    policy: object(record.effective_policy_definition),
  };
}

function toBinding(record: Readonly<Record<string, unknown>>): Binding {
  return {
    source: text(record.source),
    destination: text(record.destination),
    destinationType: text(record.destination_type),
  };
}

function records(value: unknown): Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.map(object) : [];
}

function object(value: unknown): Readonly<Record<string, unknown>> {
  // Erlang's JSON has [] for an empty object.
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

async function get(given: RabbitmqOptions, managementUrl: string, path: string): Promise<unknown> {
  const options = current(given);
  const url = new URL(managementUrl);
  const login =
    url.username === '' ? `${options.user}:${options.password}` : decodeURIComponent(`${url.username}:${url.password}`);
  const where = `the management API at ${url.host}`;
  try {
    const answer = await fetchText(new URL(url.pathname.replace(/\/$/, '') + path, url.origin), {
      headers: { authorization: `Basic ${Buffer.from(login).toString('base64')}` },
      signal: AbortSignal.timeout(TIMEOUT),
      maxBytes: MAX_BYTES,
      ...(options.tls !== null && url.protocol === 'https:' && tlsOptions(options.tls)),
    });
    if (answer.status === 401 || answer.status === 403) {
      throw new RelayError('broker_authentication', `${where} refused the login (status ${answer.status})`, {
        remedy: 'Give the user the tag `management`: rabbitmqctl set_user_tags USER management',
      });
    }
    if (answer.status !== 200) throw new Error(`status ${answer.status}`);
    return JSON.parse(answer.body);
  } catch (error) {
    if (error instanceof RelayError) throw error;
    throw new RelayError('broker_unreachable', `${where} does not answer: ${describeError(error)}`, { cause: error });
  }
}
