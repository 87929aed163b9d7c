import { getJson, getText, keepToken, Refused, token } from './api.js';
import { byId, setText } from './dom.js';
import { Figures, STALE_SECONDS } from './figures.js';
import { duration, time } from './format.js';
import { Parked } from './parked.js';
import { drawCapture, drawDestinations, drawErrors, drawInstances, drawState, drawUnknown } from './sections.js';
import { drawShards } from './shards.js';

/**
 * @typedef {import('../../core/status.ts').StatusReport} StatusReport
 * @typedef {import('../../observe/history.ts').HistoryPoint} HistoryPoint
 * @typedef {import('./parked.js').Access} Access
 */

const POLL_MS = 2_000;
/** While nobody looks: the title and the icon still tell. */
const HIDDEN_POLL_MS = 10_000;
const HOUR_MS = 3_600_000;

const NO_ACCESS = { token: false, reader: false, insider: false, operator: false };

const figures = new Figures(byId('figures'));
const parked = new Parked();

/** @type {StatusReport | null} */
let report = null;
/** When it came, by this machine's clock, which goes on while the machine sleeps. */
let reportedAt = 0;
/** @type {HistoryPoint[]} */
let points = [];
/** @type {Access} */
let access = NO_ACCESS;
/** Whether the relay does not answer. */
let lost = false;
/** Why it does not tell, where a token would not help. @type {string | null} */
let refusal = null;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

/** Seconds since the report was made. */
function reportAge() {
  return Math.max(0, Date.now() - reportedAt) / 1000;
}

/** Milliseconds since 1970 by the relay's clock: the browser's may be wrong. @param {StatusReport} of */
function relayNow({ startedAt, uptimeSeconds }) {
  return Date.parse(startedAt) + (uptimeSeconds + reportAge()) * 1000;
}

async function poll() {
  clearTimeout(timer);
  try {
    access = /** @type {Access} */ (await getJson('page/access'));
    if (access.reader || !access.token) await look();
    lost = false;
    refusal = null;
  } catch (error) {
    lost = !(error instanceof Refused);
    refusal = error instanceof Refused ? error.message : null;
  }
  draw();
  timer = setTimeout(() => void poll(), document.hidden ? HIDDEN_POLL_MS : POLL_MS);
}

async function look() {
  const next = /** @type {StatusReport} */ (await getJson('status'));
  const restarted = report !== null && report.startedAt !== next.startedAt;
  report = next;
  reportedAt = Date.now();
  if (restarted) points = [];
  const later = /** @type {HistoryPoint[]} */ (await getJson(`history?after=${points.at(-1)?.at ?? 0}`));
  const oldest = relayNow(next) - HOUR_MS;
  points = [...points, ...later].filter(({ at }) => at >= oldest);
}

function draw() {
  if (report === null || !access.reader) drawUnknown();
  else drawReport(report);
  drawLink();
}

/** @param {StatusReport} told */
function drawReport(told) {
  const now = relayNow(told);
  const lagAge = told.lagAgeSeconds === null ? null : told.lagAgeSeconds + reportAge();
  // what an old look told of rows and slot may no longer be so
  const sure = lagAge !== null && lagAge <= STALE_SECONDS ? told : { ...told, lag: null };
  drawState(told, now, lost);
  figures.draw(told, points, now, lagAge);
  drawDestinations(sure, points, now);
  drawShards(told);
  drawCapture(sure, now);
  drawInstances(told, now);
  drawErrors(told);
  const marked = told.destinations.reduce((sum, { parkedRows }) => sum + parkedRows, 0);
  if (!lost) void parked.update(Math.max(marked, told.lag?.parkedRows ?? 0), access);
  byId('config').hidden = !access.insider;
  byId('config-hidden').hidden = access.insider;
  setText(
    byId('footer'),
    `Figures as of ${time(now - reportAge() * 1000)}, asked for every ${duration(POLL_MS / 1000)}.`,
  );
}

/** @returns {'lost' | 'locked' | 'refused' | 'connecting' | 'live'} */
function linkState() {
  if (lost) return 'lost';
  if (access.token && !access.reader) return 'locked';
  if (refusal !== null) return 'refused';
  return report === null ? 'connecting' : 'live';
}

/** Whether what is shown is the present. */
function drawLink() {
  const link = byId('link');
  const banner = byId('banner');
  const state = linkState();
  link.dataset.link = state;
  document.documentElement.dataset.link = state;
  document.documentElement.toggleAttribute('data-report', report !== null && access.reader);
  byId('token-button').hidden = !access.token;
  banner.hidden = state === 'live' || state === 'connecting';
  switch (state) {
    case 'lost': {
      const age = report === null ? '' : `, data ${duration(Math.floor(reportAge()))} old`;
      setText(link, `Disconnected${age}`);
      const shown =
        report === null
          ? ''
          : ` What is shown is from ${time(relayNow(report) - reportAge() * 1000)} and may no longer be so.`;
      setText(banner, `The relay does not answer.${shown} It is asked again every ${duration(POLL_MS / 1000)}.`);
      document.title = 'Disconnected – outbox-relay';
      byId('icon').setAttribute('href', 'page/warning.svg');
      if (report === null) setText(byId('title'), 'No answer');
      break;
    }
    case 'locked':
      setText(link, 'Locked');
      setText(banner, 'This relay tells nothing without its token: press Token.');
      setText(byId('title'), 'Token needed');
      break;
    case 'refused':
      setText(link, 'Refused');
      setText(banner, `The relay refuses to tell: ${refusal ?? ''}`);
      break;
    case 'connecting':
      setText(link, 'Connecting');
      break;
    case 'live':
      setText(link, 'Live');
  }
}

function wireToken() {
  const dialog = /** @type {HTMLDialogElement} */ (byId('token-dialog'));
  const input = /** @type {HTMLInputElement} */ (byId('token-input'));
  byId('token-button').addEventListener('click', () => {
    setText(byId('token-outcome'), '');
    input.value = '';
    dialog.showModal();
    input.focus();
  });
  byId('token-forget').addEventListener('click', () => {
    keepToken('');
    dialog.close();
    void poll();
  });
  byId('token-cancel').addEventListener('click', () => dialog.close());
  byId('token-form').addEventListener('submit', (event) => {
    event.preventDefault();
    void useToken(input.value.trim(), dialog);
  });
}

/**
 * @param {string} given
 * @param {HTMLDialogElement} dialog
 */
async function useToken(given, dialog) {
  const before = token();
  try {
    keepToken(given);
    access = /** @type {Access} */ (await getJson('page/access'));
    if (!access.reader) throw new Error('The relay refuses this token.');
    dialog.close();
    await poll();
  } catch (error) {
    keepToken(before);
    const refused = error instanceof Error && error.message.startsWith('The relay');
    setText(
      byId('token-outcome'),
      refused ? 'The relay refuses this token.' : 'The relay does not answer, or this is no token.',
    );
  }
}

byId('config').addEventListener('toggle', () => {
  void getText('config').then(
    (text) => setText(byId('config-text'), text),
    () => setText(byId('config-text'), 'The relay did not answer.'),
  );
});
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) void poll();
});
wireToken();
// what is shown grows older while nothing answers
setInterval(draw, 1_000);
void poll();
