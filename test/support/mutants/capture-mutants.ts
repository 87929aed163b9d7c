import { NO_DATABASE_FAULTS } from '../simulation/plan.ts';
import { always, HABITS, QUIET, LATE_COMMITS, BROKEN_STREAMS, LAGGING, type Mutant } from './mutant.ts';

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

export const CAPTURE_MUTANTS: readonly Mutant[] = [...PASSES, ...HANDOVER, ...SKIPPING, ...STREAM];
