/** The smaller sections: what concerns the process and not the rows' way. */
import { choice, duration, integer, section, size, text } from './scalars.ts';

/** The `limits:` section. */
export const limitsSchema = section({
  memory: size({ min: '1MiB', max: '16GiB' })
    .describe(
      'How many bytes of rows may be in memory, read or streamed and not yet acknowledged. The process needs about 130MiB beside it. Several shards have equal parts of it.',
    )
    .prefault('32MiB'),
  undeleted: integer(100, 1_000_000)
    .describe('How many published rows may wait for their deletion; at this many publishing pauses.')
    .prefault(20_000),
  parked: integer(1, 1_000_000)
    .describe(
      'How many rows of a destination may be parked. One more, and the destination goes down (`parked_limit`): so many rows are not at fault each by itself.',
    )
    .prefault(10_000),
})
  .describe('Bounds on what the relay holds.')
  .prefault({});

/** The `published:` section. */
export const publishedSchema = section({
  retain: duration({ min: '1m', max: '90d' })
    .nullable()
    .describe(
      'How long the ids of published rows are kept in a table beside the outbox, for `outbox-relay verify`. Null: not at all.',
    )
    .prefault(null),
})
  .describe('A record of what was published, which `outbox-relay verify` compares with what the broker holds.')
  .prefault({});

/** The `leader:` section. */
export const leaderSchema = section({
  lease: duration({ min: '1s', max: '5m' })
    .describe('How long a leader that has gone silent is waited for before another instance takes over.')
    .prefault('10s'),
})
  .describe('One relay at a time publishes a shard; others wait as standby.')
  .prefault({});

/** The `shards:` option. */
export const shardsSchema = integer(1, 64)
  .describe(
    'Into how many shards the rows are shared out, by their keys, so that several relay processes publish at a time. All relays of an outbox need the same number; `outbox-relay init` makes a publication for each shard.',
  )
  .prefault(1);

/** The `shardBy:` option. */
export const shardBySchema = text('the name of a column, as in a template')
  .nullable()
  .describe(
    "With several shards: the column whose value tells a row's shard, by the name that templates use. Rows of one message key must have one value there. Null: the column that is the key of all routes.",
  )
  .prefault(null);

/** The `log:` section. */
export const logSchema = section({
  level: choice(['debug', 'info', 'warn', 'error', 'silent'])
    .describe('The least serious level that is logged.')
    .prefault('info'),
  format: choice(['auto', 'json', 'pretty'])
    .describe('`json`: one object a line. `pretty`: for people. `auto`: pretty on a terminal, else json.')
    .prefault('auto'),
})
  .describe('The log, on standard output; on standard error beside a console destination.')
  .prefault({});

/** The `shutdown:` section. */
export const shutdownSchema = section({
  drain: duration({ min: '0s', max: '10m' })
    .describe(
      'How long a stop waits for what is in flight to be acknowledged and deleted; the rest is published again at the next start.',
    )
    .prefault('20s'),
})
  .describe('What SIGTERM and SIGINT do.')
  .prefault({});
