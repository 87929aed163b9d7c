/** Asks the relay that served this page. Addresses are relative, so that a proxy may serve it under a path. */

const KEY = 'outbox-relay-token';
const TIMEOUT_MS = 5_000;

/** What the relay answered instead of what was asked for. */
export class Refused extends Error {
  /**
   * @param {number} status
   * @param {string} message
   */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** @returns {string} empty: none */
export function token() {
  try {
    return sessionStorage.getItem(KEY) ?? '';
  } catch {
    return '';
  }
}

/** @param {string} value empty: none from now on */
export function keepToken(value) {
  if (value === '') sessionStorage.removeItem(KEY);
  else sessionStorage.setItem(KEY, value);
}

/**
 * @param {string} path
 * @returns {Promise<any>}
 * @throws {Refused} when the relay answers something else; anything else when it does not answer
 */
export async function getJson(path) {
  return (await ask(path, {})).json();
}

/**
 * @param {string} path
 * @returns {Promise<string>}
 */
export async function getText(path) {
  return (await ask(path, {})).text();
}

/**
 * @param {string} path
 * @param {object} body
 * @returns {Promise<any>}
 */
export async function postJson(path, body) {
  const headers = { 'content-type': 'application/json' };
  return (await ask(path, { method: 'POST', headers, body: JSON.stringify(body), signal: null })).json();
}

/**
 * @param {string} path
 * @param {RequestInit} init
 */
async function ask(path, init) {
  const headers = new Headers(init.headers);
  if (token() !== '') headers.set('authorization', `Bearer ${token()}`);
  const answer = await fetch(path, { signal: AbortSignal.timeout(TIMEOUT_MS), ...init, headers, cache: 'no-store' });
  if (!answer.ok) throw new Refused(answer.status, (await answer.text()).trim());
  return answer;
}
