import { getJson, postJson, Refused } from './api.js';
import { byId, h, redraw, setText } from './dom.js';
import { count, time, UNKNOWN } from './format.js';
import { table } from './sections.js';

/**
 * @typedef {{ token: boolean, reader: boolean, insider: boolean, operator: boolean }} Access
 * @typedef {object} Row
 * @property {string} position
 * @property {string} id
 * @property {string} destination
 * @property {string | null} key
 * @property {string} code
 * @property {string} reason
 * @property {number} attempts
 * @property {string} parkedAt
 * @typedef {{ destination: string, code: string, rows: number }} Group
 * @typedef {{ asOf: string, groups: Group[], rows: Row[] }} Listing
 * @typedef {'retry' | 'discard'} Action
 */

const REFRESH_MS = 15_000;
const LISTED = 100;
/** Rows that are shown until more is asked for. */
const FIRST = 20;
/** Requests of one change, each for so many rows as the relay changes at a time. */
const MAX_REQUESTS = 50;

/** The parked rows: why, which, and what can be done about them. */
export class Parked {
  /** @type {Listing | null} */
  #listing = null;
  /** @type {string | null} */
  #trouble = null;
  #listedAt = -Infinity;
  #listedCount = -1;
  #busy = false;
  /** @type {Access} */
  #access = { token: false, reader: false, insider: false, operator: false };
  #count = 0;
  #all = false;

  /**
   * Draws what is known, and asks again when the number of rows has changed or it was long ago.
   *
   * @param {number} rows how many there are by the status
   * @param {Access} access
   */
  async update(rows, access) {
    const changed = access.insider !== this.#access.insider || access.operator !== this.#access.operator;
    this.#access = access;
    this.#count = rows;
    const due = rows !== this.#listedCount || (rows > 0 && performance.now() - this.#listedAt > REFRESH_MS);
    if (access.insider && !this.#busy && (due || changed)) await this.#list();
    this.#draw();
  }

  async #list() {
    this.#listedAt = performance.now();
    this.#listedCount = this.#count;
    try {
      this.#listing = /** @type {Listing} */ (await getJson(`parked?limit=${LISTED}`));
      this.#trouble = null;
    } catch (error) {
      this.#trouble = error instanceof Refused ? error.message : 'the relay did not answer';
    }
  }

  #draw() {
    const { insider, operator, token } = this.#access;
    const model = [this.#listing, this.#trouble, this.#access, this.#busy, this.#all, insider ? null : this.#count];
    redraw(byId('parked'), model, () => {
      if (!insider) return [this.#hidden(token)];
      const listing = this.#listing;
      const trouble =
        this.#trouble === null ? null : h('p', { class: 'bad' }, `The list could not be read: ${this.#trouble}`);
      if (listing === null) return [trouble ?? h('p', { class: 'empty' }, 'Asking.')];
      if (listing.groups.length === 0) return [trouble, h('p', { class: 'empty' }, 'None.')];
      return [trouble, ...this.#groups(listing), this.#rows(listing), operator ? null : offline()];
    });
  }

  /** @param {boolean} token */
  #hidden(token) {
    const rows = this.#count === 0 ? 'None.' : `${count(this.#count)}.`;
    const how = token
      ? ' Give the token to see them.'
      : ' Which, is told on a loopback address or to holders of a token: set admin.token or admin.tokenFile (openssl rand -hex 32 makes one).';
    return h('p', { class: 'empty' }, this.#count === 0 ? rows : rows + how);
  }

  /** @param {Listing} listing */
  #groups({ groups, asOf }) {
    return groups.map(({ destination, code, rows }) => {
      const selection = { destination, code, parkedUntil: asOf };
      const text = `${count(rows)} ${rows === 1 ? 'row' : 'rows'} of ${destination} parked for ${code}`;
      return h(
        'div',
        { class: 'group' },
        h(
          'span',
          {},
          h('strong', {}, count(rows)),
          ' of ',
          h('strong', {}, destination),
          ' parked for ',
          h('code', {}, code),
        ),
        rows > 1 ? this.#buttons(selection, text, `all ${count(rows)}`, `${destination} ${code}`) : null,
      );
    });
  }

  /** @param {Listing} listing */
  #rows({ rows, groups, asOf }) {
    const headings = ['Row', 'Key', 'Destination', 'Why', 'Parked'];
    const all = groups.reduce((sum, group) => sum + group.rows, 0);
    const cells = (this.#all ? rows : rows.slice(0, FIRST)).map((row) => [
      h('span', {}, row.position, h('span', { class: 'data id' }, row.id)),
      h('span', { class: 'data' }, row.key ?? UNKNOWN),
      row.destination,
      h('span', { class: 'text' }, h('code', {}, row.code), ` ${row.reason}`),
      h(
        'span',
        {},
        h('span', { class: 'nowrap' }, time(row.parkedAt)),
        h('span', { class: 'id' }, attempts(row.attempts)),
      ),
      ...(this.#access.operator ? [this.#rowButtons(row, asOf)] : []),
    ]);
    const shown = table('Parked rows', this.#access.operator ? [...headings, 'Change'] : headings, cells);
    if (all <= cells.length) return shown;
    const more = rows.length > cells.length;
    return h(
      'div',
      {},
      shown,
      h(
        'p',
        { class: 'faint' },
        `The first ${cells.length} of ${count(all)}. `,
        more ? this.#moreButton(rows.length) : null,
      ),
    );
  }

  /** @param {number} rows */
  #moreButton(rows) {
    const click = () => {
      this.#all = true;
      this.#draw();
    };
    return h('button', { type: 'button', click }, `Show ${rows}`);
  }

  /**
   * @param {Row} row
   * @param {string} asOf
   */
  #rowButtons({ position, id, key }, asOf) {
    const text = `The row at position ${position}, id ${id}${key === null ? '' : `, key ${key}`}`;
    return this.#buttons({ position, id, parkedUntil: asOf }, text, '', `${position} ${id}`);
  }

  /**
   * @param {object} selection
   * @param {string} text
   * @param {string} all behind the button's word; empty for a single row
   * @param {string} name tells these buttons from others
   */
  #buttons(selection, text, all, name) {
    if (!this.#access.operator) return null;
    const button = (/** @type {Action} */ action, /** @type {string} */ word) =>
      h(
        'button',
        {
          type: 'button',
          class: action === 'discard' ? 'danger' : null,
          'aria-label': `${word}: ${text}`,
          'data-focus': `${action} ${name}`,
          disabled: this.#busy,
          click: () => void this.#ask(action, selection, text, all !== ''),
        },
        `${word} ${all}`.trim(),
      );
    return h('span', { class: 'buttons' }, button('retry', 'Retry'), button('discard', 'Discard'));
  }

  /**
   * @param {Action} action
   * @param {object} selection
   * @param {string} text
   * @param {boolean} many
   */
  async #ask(action, selection, text, many) {
    // retrying one row harms nothing: what is refused again is parked again
    if ((action === 'discard' || many) && !(await confirmed(action, text))) return;
    this.#busy = true;
    this.#draw();
    setText(byId('parked-outcome'), action === 'retry' ? 'Retrying.' : 'Discarding.');
    let rows = 0;
    try {
      for (let request = 0; request < MAX_REQUESTS; request++) {
        const answer = /** @type {{ rows: number, more: boolean }} */ (await postJson(`parked/${action}`, selection));
        rows += answer.rows;
        if (!answer.more) break;
      }
      setText(byId('parked-outcome'), outcome(action, rows));
    } catch (error) {
      const why = error instanceof Refused ? error.message : 'the relay did not answer; it may have been done';
      setText(byId('parked-outcome'), `${rows === 0 ? '' : `${outcome(action, rows)} `}The rest failed: ${why}`);
    }
    await this.#list();
    this.#busy = false;
    this.#draw();
    byId('parked-title').focus();
  }
}

/** @param {number} times */
function attempts(times) {
  return times === 1 ? '1 attempt' : `${times} attempts`;
}

/** How it is done where this page may not. */
function offline() {
  return h(
    'p',
    { class: 'faint' },
    'To retry or discard them here, set admin.token or admin.tokenFile. Until then: ',
    h('code', {}, 'outbox-relay parked retry --config FILE --id ID'),
  );
}

/**
 * @param {Action} action
 * @param {number} rows
 */
function outcome(action, rows) {
  const what = rows === 1 ? '1 row' : `${count(rows)} rows`;
  if (rows === 0) return 'No row was parked any more.';
  return action === 'retry' ? `${what}: published again within seconds.` : `${what} discarded.`;
}

/**
 * @param {Action} action
 * @param {string} text
 * @returns {Promise<boolean>}
 */
function confirmed(action, text) {
  const dialog = /** @type {HTMLDialogElement} */ (byId('confirm'));
  const discards = action === 'discard';
  setText(byId('confirm-title'), discards ? 'Discard for good?' : 'Retry all of them?');
  const what = discards
    ? 'What is discarded is deleted from the outbox and never published.'
    : 'They are published again, with the rows that wait behind them. What is refused again is parked again.';
  setText(byId('confirm-text'), `${text}. ${what}`);
  const yes = byId('confirm-yes');
  setText(yes, discards ? 'Discard' : 'Retry');
  yes.className = discards ? 'danger' : 'primary';
  dialog.returnValue = 'no';
  dialog.showModal();
  byId('confirm-no').focus();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
  });
}
