/**
 * `npm test`: runs the tests once and prints `N passed, N failed` as its last line. Arguments go on to vitest: file
 * names, `-t NAME`, `--project unit`. With `CI=true`, and no `PG_VERSION`, the tests with services run on the newest
 * Postgres, those that depend on its version on the oldest too, and, without arguments, rounds of chaos after them.
 */
import { parseCLI, startVitest } from 'vitest/node';
import { playChaos } from './test/chaos.ts';
import type { Tally } from './test/tally.ts';

const ARGUMENTS = process.argv.slice(2);
/** Plays two rounds of chaos, which are too few where more are played. */
const CHAOS_SMOKE = 'test/integration/chaos-smoke.test.ts';

/** What does not depend on the version of Postgres, or brings its own: run beside the newest only. */
const WITHOUT_VERSION = [
  'test/conformance/{cloudevents,kafka,rabbitmq}*.test.ts',
  'test/integration/{relay-kafka-trouble,relay-rabbitmq-trouble,relay-outages,relay-bad-rows,relay-payloads}.test.ts',
  'test/integration/{bench-smoke,example-saga,demo,relay-leadership,services,status-page,stream-orphan,verify-kafka,verify-rabbitmq}.test.ts',
  'test/integration/{compose,containers,helm-chart,package,systemd}.test.ts',
  'test/integration/{client-,debezium-,foreign-tables,inbox,saga}*.test.ts',
  'test/integration/{admin-grpc-health,admin-tls,alert-rules,cli-completion,cli-ending,monitoring,relay-rotation*,relay-tracing,status-watch}.test.ts',
];

interface Round {
  readonly postgres: string | undefined;
  readonly projects: readonly string[];
  /** Patterns of files. */
  readonly leavesOut: readonly string[];
}

/** Whether all that CI runs is to be run. Asked for once: the rounds set PG_VERSION. */
function isMatrix(): boolean {
  const { CI, PG_VERSION, TEST_POSTGRES_URL } = process.env;
  return CI === 'true' && !PG_VERSION && !TEST_POSTGRES_URL;
}

function rounds(matrix: boolean, playsChaos: boolean): Round[] {
  if (!matrix) return [{ postgres: process.env.PG_VERSION, projects: [], leavesOut: [] }];
  const chaos = playsChaos ? [CHAOS_SMOKE] : [];
  return [
    { postgres: '14', projects: ['services'], leavesOut: [...WITHOUT_VERSION, ...chaos] },
    { postgres: '18', projects: ['unit', 'services'], leavesOut: chaos },
  ];
}

async function runRound({ postgres, projects, leavesOut }: Round, tally: Tally): Promise<void> {
  if (postgres !== undefined) process.env.PG_VERSION = postgres;
  // for vitest.config.ts: an option `exclude` given here would not reach its projects
  process.env.TEST_LEAVES_OUT = leavesOut.join(' ');
  const { filter, options } = parseCLI(['vitest', 'run', ...ARGUMENTS]);
  const project = options.project ?? [...projects];
  const vitest = await startVitest('test', filter, {
    ...options,
    watch: false,
    ...(project.length > 0 ? { project } : {}),
  });
  for (const module of vitest.state.getTestModules()) {
    tally.failed += module.errors().length;
    for (const suite of module.children.allSuites()) tally.failed += suite.errors().length;
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      if (state === 'passed') tally.passed++;
      else if (state === 'failed') tally.failed++;
      else tally.skipped++;
    }
  }
  tally.failed += vitest.state.getUnhandledErrors().length;
  await vitest.close();
}

async function main(): Promise<void> {
  const tally: Tally = { passed: 0, failed: 0, skipped: 0 };
  const matrix = isMatrix();
  const playsChaos = matrix && ARGUMENTS.length === 0;
  for (const round of rounds(matrix, playsChaos)) {
    try {
      await runRound(round, tally);
    } catch (error) {
      console.error(error);
      tally.failed++;
    }
  }
  if (playsChaos) {
    const { passed, failed } = await playChaos();
    tally.passed += passed;
    tally.failed += failed;
  }
  if (tally.failed > 0 || tally.passed === 0) process.exitCode = 1;
  const skipped = tally.skipped > 0 ? `, ${tally.skipped} skipped` : '';
  console.log(`${tally.passed} passed, ${tally.failed} failed${skipped}`);
}

await main();
