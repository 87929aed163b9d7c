import type { Log } from '../core/log.ts';
import type { ParkedOverview, ParkedRow, ParkedSelection } from '../core/parked.ts';
import { type AdminRequest, type Answer, BadRequest, type Endpoint, jsonAnswer } from './http.ts';

/** What can be done about parked rows. */
export type ParkedAction = 'retry' | 'discard';

/** Parked rows, as they are looked at and changed. */
export interface ParkedDesk {
  /** All of them in groups, and the first of a selection in order of position. */
  list(selection: ParkedSelection, limit: number): Promise<ParkedOverview & { readonly rows: readonly ParkedRow[] }>;
  /** Does it to the first rows of a selection; resolves with how many they were. */
  change(action: ParkedAction, selection: ParkedSelection, limit: number): Promise<number>;
}

const LISTED = 100;
/** Rows that one request changes at most; an answer with `more` asks for another. */
export const CHANGED = 1000;
const SELECTORS = ['destination', 'key', 'code', 'reason', 'id', 'position', 'parkedUntil'] as const;
const MAX_TEXT = 1000;
const TIMESTAMP = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z$/;

/**
 * `GET /parked`, `POST /parked/retry` and `POST /parked/discard`: what `outbox-relay parked` does, over HTTP. Repeating a
 * change is harmless: what is no longer parked, or was parked again after `parkedUntil`, is not meant.
 */
export function parkedEndpoints(desk: ParkedDesk, log: Log): readonly Endpoint[] {
  const looks = oneAtATime();
  const changes = oneAtATime();
  const list = ({ query }: AdminRequest): Promise<Answer> =>
    looks(async () => {
      const { limit = String(LISTED), ...selection } = Object.fromEntries(query);
      return jsonAnswer(await desk.list(toSelection(selection), toLimit(limit)));
    });
  const change =
    (action: ParkedAction) =>
    async (request: AdminRequest): Promise<Answer> => {
      const { all, ...given } = await request.json();
      const selection = toSelection(given);
      const chosen = Object.keys(selection).some((name) => name !== 'parkedUntil');
      if (chosen === (all === true)) throw new BadRequest(400, 'name the rows, or else give "all": true');
      return changes(async () => {
        const rows = await desk.change(action, selection, CHANGED);
        const from = request.remoteAddress;
        log.warn({ action, selection, rows, from }, 'parked rows were changed over the admin port');
        return jsonAnswer({ rows, more: rows >= CHANGED });
      });
    };
  return [
    { method: 'GET', path: '/parked', access: 'insider', answer: list },
    { method: 'POST', path: '/parked/retry', access: 'operator', answer: change('retry') },
    { method: 'POST', path: '/parked/discard', access: 'operator', answer: change('discard') },
  ];
}

/** Runs one thing after the other: who asks does not open sessions without bound. A short queue, then `429`. */
function oneAtATime(): (run: () => Promise<Answer>) => Promise<Answer> {
  const MAX_WAITING = 4;
  let waiting = 0;
  let last: Promise<unknown> = Promise.resolve();
  return async (run) => {
    if (waiting >= MAX_WAITING) throw new BadRequest(429, 'too many such requests at a time');
    waiting++;
    const answer = last.then(run).finally(() => waiting--);
    last = answer.catch(() => undefined);
    return answer;
  };
}

function toSelection(given: Readonly<Record<string, unknown>>): ParkedSelection {
  const { position, ...texts } = Object.fromEntries(
    Object.entries(given).map(([name, value]) => [toSelector(name), toText(name, value)] as const),
  ) as Partial<Record<(typeof SELECTORS)[number], string>>;
  if (texts.parkedUntil !== undefined && !TIMESTAMP.test(texts.parkedUntil))
    throw new BadRequest(400, 'parkedUntil: expected a time as GET /parked tells it in asOf');
  return { ...texts, ...(position === undefined ? {} : { position: toPosition(position) }) };
}

function toSelector(name: string): (typeof SELECTORS)[number] {
  const selector = SELECTORS.find((known) => known === name);
  if (selector === undefined) throw new BadRequest(400, `unknown field; there are ${SELECTORS.join(', ')}`);
  return selector;
}

function toText(name: string, value: unknown): string {
  if (typeof value !== 'string' || value.length > MAX_TEXT || value.includes('\0'))
    throw new BadRequest(400, `${name}: expected a text of at most ${MAX_TEXT} characters`);
  return value;
}

function toPosition(text: string): bigint {
  if (!/^-?[0-9]{1,18}$/.test(text)) throw new BadRequest(400, 'position: expected a whole number as a text');
  return BigInt(text);
}

function toLimit(text: string): number {
  const limit = /^[0-9]{1,3}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > LISTED) throw new BadRequest(400, `limit: expected a number from 1 to ${LISTED}`);
  return limit;
}
