import fc from 'fast-check';
import { NO_BROKER_FAULTS, NO_DATABASE_FAULTS, type PlanSource, type ReaderRule } from '../simulation/plan.ts';
import type { Verdict } from '../simulation/truth.ts';
import type { Edit } from './plugin.ts';

/** One rule, broken. */
export interface Mutant {
  /** Which: of the invariants in docs/architecture.md. */
  readonly rule: number;
  /** How it is broken, in words. */
  readonly name: string;
  /** In the source ... */
  readonly edits?: readonly Edit[];
  /** ... or, where the rule is kept by SQL or by the server, in the simulated session that stands for it. */
  readonly breaks?: ReaderRule;
  /** Histories in which it matters; where nothing is said, all kinds. */
  readonly plans?: Partial<PlanSource>;
  /** What comes of it, and must be found. */
  readonly finds: keyof Verdict;
}

// ---- histories in which a rule matters more often than in others ----

const always = <T>(value: T): fc.Arbitrary<T> => fc.constant(value);
const HABITS = { late: 0.2, asynchronous: 0, prepared: 0, refused: 0, faulty: 0, keyless: 0 };
const LATE = { ...HABITS, late: 0.8 };
const REFUSED = { ...HABITS, refused: 0.4 };

const QUIET: Partial<PlanSource> = {
  habits: always(HABITS),
  ends: always([]),
  disasters: always([]),
  database: always(NO_DATABASE_FAULTS),
  broker: always(NO_BROKER_FAULTS),
  memoryRows: always(1000),
  onlyVisible: always(false),
  audits: always(false),
};
const LAGGING: Partial<PlanSource> = { ...QUIET, database: always({ ...NO_DATABASE_FAULTS, streamLags: 0.3 }) };
const LATE_COMMITS: Partial<PlanSource> = { ...QUIET, habits: always(LATE), transactions: always(40) };
const BROKEN_STREAMS: Partial<PlanSource> = {
  ...LATE_COMMITS,
  database: always({ ...NO_DATABASE_FAULTS, streamEnds: 0.05, slowXids: 0.5 }),
};
const BROKEN_SESSIONS: Partial<PlanSource> = { ...QUIET, broker: always({ ...NO_BROKER_FAULTS, sessionFails: 0.2 }) };
const REFUSALS: Partial<PlanSource> = { ...QUIET, habits: always(REFUSED), onError: always('park-key') };
const KILLS: PlanSource['ends'] = fc.array(
  fc.record({ kind: always('kill' as const), crossing: fc.integer({ min: 20, max: 150 }) }),
  { minLength: 1, maxLength: 3 },
);
const STOPS: PlanSource['ends'] = fc.array(
  fc.record({ kind: always('freeze' as const), crossing: fc.integer({ min: 5, max: 80 }) }),
  { minLength: 1, maxLength: 3 },
);

// ---- the mutants ----

const MACHINE = 'src/relay/machine.ts';
const DESTINATION = 'src/relay/destination.ts';
const OUTLET = 'src/relay/outlet.ts';
const SKIP_RULE = 'src/relay/skip-rule.ts';

/** Passes: one snapshot, after the lock, from the bottom; what is in flight is left out. */
const PASSES: readonly Mutant[] = [
  {
    rule: 2,
    name: 'a pass reads its pages in several snapshots',
    breaks: 'one-snapshot',
    finds: 'disorder',
  },
  {
    rule: 2,
    name: 'the snapshot is taken before the lock',
    breaks: 'lock-before-snapshot',
    plans: { ...LATE_COMMITS, disasters: always(['rewrite', 'rewrite', 'rewrite']) },
    finds: 'missing',
  },
  {
    rule: 2,
    name: 'a pass that was cut short counts as complete',
    edits: [{ file: 'src/relay/pass.ts', from: 'complete: pass.complete && !cut', to: 'complete: true' }],
    plans: { ...QUIET, transactions: always(40) },
    finds: 'disorder',
  },
  {
    rule: 4,
    name: 'P is read before S',
    breaks: 'position-after-snapshot',
    plans: LAGGING,
    finds: 'duplicates',
  },
  {
    rule: 5,
    name: 'rows of a pass are published before they are flushed',
    breaks: 'flush-before-telling',
    plans: { ...QUIET, habits: always({ ...HABITS, asynchronous: 0.8 }), disasters: always(['crash', 'crash']) },
    finds: 'phantoms',
  },
  {
    rule: 6,
    name: 'passes take rows that are in flight',
    edits: [{ file: OUTLET, from: 'this.ledger.has(routed.row) || ', to: '' }],
    plans: QUIET,
    finds: 'duplicates',
  },
  {
    rule: 6,
    name: 'a row is forgotten at its deletion, though a running pass may still meet it',
    edits: [{ file: 'src/relay/ledger.ts', from: 'if (this.#passing && entry.pass < this.#pass)', to: 'if (false)' }],
    plans: QUIET,
    finds: 'duplicates',
  },
];

/** The handover: x0 after the beginning of holding, and a pass past it. */
const HANDOVER: readonly Mutant[] = [
  {
    rule: 3,
    name: 'a handover ends without regard to x0',
    edits: [{ file: MACHINE, from: ' && state.x0 !== null && event.snapshot.xmin > state.x0', to: '' }],
    plans: BROKEN_STREAMS,
    finds: 'missing',
  },
  {
    rule: 3,
    name: 'x0 is compared with xmax instead of xmin',
    edits: [{ file: MACHINE, from: 'event.snapshot.xmin > state.x0', to: 'event.snapshot.xmax > state.x0' }],
    plans: BROKEN_STREAMS,
    finds: 'missing',
  },
  {
    rule: 3,
    name: 'x0 was taken before holding began, for an earlier handover',
    edits: [
      {
        file: DESTINATION,
        from: '  #holding = new AbortController();\n',
        to: '  #holding = new AbortController();\n  #first: Promise<bigint> | null = null;\n',
      },
      {
        file: DESTINATION,
        from: 'this.#parts.reader.assignXid().then(',
        to: '(this.#first ??= this.#parts.reader.assignXid()).then(',
      },
    ],
    plans: BROKEN_STREAMS,
    finds: 'missing',
  },
  {
    rule: 3,
    name: 'an x0 that comes late, of an earlier holding, is taken for that of this one',
    edits: [
      {
        file: DESTINATION,
        from: "if (!signal.aborted) this.dispatch({ type: 'xid-assigned', xid });",
        to: "this.dispatch({ type: 'xid-assigned', xid });",
      },
    ],
    plans: BROKEN_STREAMS,
    finds: 'missing',
  },
  {
    rule: 3,
    name: 'what is held is kept when the stream has ended, and another one begins later in the log',
    edits: [
      {
        file: MACHINE,
        from: "    case 'stream-ended':\n    case 'buffer-full':\n    case 'xid-failed':",
        to: "    case 'buffer-full':\n    case 'xid-failed':",
      },
    ],
    plans: BROKEN_STREAMS,
    finds: 'missing',
  },
  {
    rule: 3,
    name: 'streaming goes on by another stream, which begins later in the log',
    edits: [
      {
        file: MACHINE,
        from: "    case 'stream-ended':\n    case 'buffer-full':\n    case 'stragglers':",
        to: "    case 'buffer-full':\n    case 'stragglers':",
      },
    ],
    plans: BROKEN_STREAMS,
    finds: 'missing',
  },
];

/** What the stream brings and a pass has had is skipped: by visibility, until P. */
const SKIPPING: readonly Mutant[] = [
  {
    rule: 4,
    name: 'nothing is skipped',
    edits: [
      {
        file: SKIP_RULE,
        from: 'return this.#snapshot !== null && seesTransaction(this.#snapshot, transaction.xid);',
        to: 'return false;',
      },
    ],
    plans: LAGGING,
    finds: 'duplicates',
  },
  {
    rule: 4,
    name: 'what is held and was in a pass is not dropped',
    edits: [
      {
        file: 'src/relay/hold-buffer.ts',
        from: 'if (!seesTransaction(snapshot, transaction.xid)) this.hold(transaction);',
        to: 'this.hold(transaction);',
      },
    ],
    plans: LAGGING,
    finds: 'duplicates',
  },
  {
    rule: 4,
    name: 'everything below P is skipped, visible in S or not',
    edits: [{ file: SKIP_RULE, from: 'seesTransaction(this.#snapshot, transaction.xid)', to: 'true' }],
    plans: LATE_COMMITS,
    finds: 'missing',
  },
  {
    rule: 4,
    name: 'S is compared with for ever',
    edits: [{ file: SKIP_RULE, from: 'if (lsn >= this.#insertLsn) this.#snapshot = null;', to: '' }],
    plans: QUIET,
    finds: 'leftInTable',
  },
  {
    rule: 4,
    name: 'ids are widened by the epoch of S and not by distance',
    edits: [
      {
        file: 'src/core/snapshot.ts',
        from: 'return near + BigInt.asIntN(32, BigInt(xid) - near);',
        to: 'return ((near >> 32n) << 32n) + BigInt(xid);',
      },
    ],
    plans: { ...LATE_COMMITS, ...LAGGING },
    finds: 'missing',
  },
];

/** The stream: committed transactions only, of this server, of a publication that leaves nothing out. */
const STREAM: readonly Mutant[] = [
  {
    rule: 1,
    name: 'the stream tells what is not committed',
    breaks: 'committed-only',
    plans: QUIET,
    finds: 'phantoms',
  },
  {
    rule: 8,
    name: 'the stream comes from another server than the one that SQL goes to',
    breaks: 'same-server',
    plans: { ...QUIET, database: always({ ...NO_DATABASE_FAULTS, strayStreams: 0.2 }) },
    finds: 'missing',
  },
  {
    rule: 1,
    name: 'there is no audit, and the publication has left rows out',
    edits: [
      {
        file: 'src/relay/relay.ts',
        from: '    this.#scheduleAudit();\n    this.#scheduleParked();',
        to: '    this.#scheduleParked();',
      },
    ],
    plans: { ...QUIET, disasters: always(['hole']) },
    finds: 'missing',
  },
  {
    rule: 1,
    name: 'the stream goes on after a publication has left rows out',
    breaks: 'publication-examined',
    plans: { ...QUIET, disasters: always(['hole', 'hole', 'hole']), transactions: always(40) },
    finds: 'disorder',
  },
];

/** Settling: deleted once acknowledged, by position and id, gone only if visible. */
const SETTLING: readonly Mutant[] = [
  {
    rule: 1,
    name: 'rows are deleted before they are acknowledged',
    edits: [
      {
        file: OUTLET,
        from: '        this.ledger.send(routed.message);\n',
        to: '        this.ledger.send(routed.message);\n        this.#parts.settling.push([routed.row], this);\n',
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

export const RELAY_MUTANTS: readonly Mutant[] = [
  ...PASSES,
  ...HANDOVER,
  ...SKIPPING,
  ...STREAM,
  ...SETTLING,
  ...SESSIONS,
  ...PARKING,
];
