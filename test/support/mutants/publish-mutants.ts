import { NO_BROKER_FAULTS } from '../simulation/plan.ts';
import { always, QUIET, LATE_COMMITS, BROKEN_SESSIONS, REFUSALS, KILLS, STOPS, type Mutant } from './mutant.ts';

const MACHINE = 'src/relay/machine.ts';
const OUTLET = 'src/relay/outlet.ts';

/** Settling: deleted once acknowledged, by position and id, gone only if visible. */
const SETTLING: readonly Mutant[] = [
  {
    rule: 1,
    name: 'rows are deleted before they are acknowledged',
    edits: [
      {
        file: OUTLET,
        from: '        this.ledger.send(routed.message);\n',
        to: '        this.ledger.send(routed.message);\n        this.#parts.settling.push([{ ...routed.row, owner: this }]);\n',
      },
    ],
    plans: { ...QUIET, ends: KILLS },
    finds: 'missing',
  },
  {
    rule: 6,
    name: 'rows are deleted by position alone',
    breaks: 'delete-by-id',
    plans: { ...QUIET, disasters: always(['truncate', 'truncate', 'truncate']) },
    finds: 'missing',
  },
  {
    rule: 6,
    name: 'a row that is not there counts as gone, visible or not',
    breaks: 'gone-if-visible',
    plans: LATE_COMMITS,
    finds: 'leftInTable',
  },
  {
    rule: 6,
    name: 'rows that are not visible yet are given up',
    edits: [
      {
        file: 'src/relay/settling.ts',
        from: 'const { notYetVisible, missing, locked, blocked } = result;',
        to: 'const { missing, locked, blocked } = result;\n    const notYetVisible: readonly SettlingRow[] = [];',
      },
    ],
    plans: LATE_COMMITS,
    finds: 'leftInTable',
  },
];

/** Sessions with the broker that end, and relays that follow one another. */
const SESSIONS: readonly Mutant[] = [
  {
    rule: 1,
    name: 'what was sent to a session that failed is thought to be on its way',
    edits: [{ file: OUTLET, from: 'this.#parts.telemetry.forgotten(this.ledger.forgetSent());', to: '' }],
    plans: BROKEN_SESSIONS,
    finds: 'missing',
  },
  {
    rule: 11,
    name: 'a new session streams on where the one that failed was, instead of from the table',
    edits: [
      {
        file: MACHINE,
        from: "    case 'opened':\n      return fallBack(state);",
        to: "    case 'opened':\n      return stay({ name: 'streaming', failures: 0 });",
      },
    ],
    plans: BROKEN_SESSIONS,
    finds: 'disorder',
  },
  {
    rule: 11,
    name: 'streaming does not end with the session',
    edits: [
      {
        file: MACHINE,
        from: "    case 'keys-released':\n      return fallBack(state);\n    case 'session-failed':\n      return goDown(state, event.error);",
        to: "    case 'keys-released':\n      return fallBack(state);\n    case 'session-failed':\n      return stay(state);",
      },
    ],
    plans: BROKEN_SESSIONS,
    finds: 'missing',
  },
  {
    rule: 11,
    name: 'a relay goes on sending while another one leads',
    edits: [{ file: OUTLET, from: 'current() && this.#parts.mayPublish()', to: 'current()' }],
    plans: { ...REFUSALS, ends: STOPS },
    finds: 'disorder',
  },
];

/** Rows at fault: their keys wait. */
const PARKING: readonly Mutant[] = [
  {
    rule: 1,
    name: 'the keys of parked rows go on',
    edits: [{ file: OUTLET, from: ' || this.parked.leavesOut(routed.row, key)', to: '' }],
    plans: REFUSALS,
    finds: 'disorder',
  },
  {
    rule: 11,
    name: 'the first pass begins before the marks are read',
    edits: [
      { file: 'src/relay/relay.ts', from: '    await this.#readParked();\n    if (this.#stopped) return;\n', to: '' },
    ],
    plans: { ...REFUSALS, ends: KILLS },
    finds: 'disorder',
  },
  {
    rule: 1,
    name: 'a released key goes on at once, and not with the next pass',
    edits: [
      {
        file: 'src/relay/parked-keys.ts',
        from: '    return this.#released.length;',
        to: '    const { length } = this.#released;\n    this.applyReleases();\n    return length;',
      },
    ],
    plans: REFUSALS,
    finds: 'disorder',
  },
  {
    rule: 1,
    name: 'a key goes on before its dead letter is acknowledged',
    edits: [
      {
        file: 'src/relay/quarantine.ts',
        from: '    const failure = await this.#send(letter, session);',
        to: '    this.#goOn(routed, session);\n    const failure = await this.#send(letter, session);',
      },
    ],
    plans: {
      ...REFUSALS,
      onError: always('dead-letter'),
      broker: always({ ...NO_BROKER_FAULTS, deadLetterFails: 0.5 }),
    },
    finds: 'disorder',
  },
  {
    rule: 11,
    name: 'a relay that was followed by another one marks a row as parked behind its back',
    breaks: 'marks-fenced',
    plans: { ...REFUSALS, ends: STOPS },
    finds: 'disorder',
  },
];

export const PUBLISH_MUTANTS: readonly Mutant[] = [...SETTLING, ...SESSIONS, ...PARKING];
