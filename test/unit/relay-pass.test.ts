import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import type { TablePass } from '../../src/core/capture.ts';
import { runPass, type PassHost } from '../../src/relay/pass.ts';
import { Room } from '../../src/relay/room.ts';
import { Trial } from '../../src/relay/trial.ts';
import { row } from './relay-support.ts';

/** A pass over two rows, one a chunk. */
class TwoRows implements TablePass {
  readonly snapshot = { xmin: 1n, xmax: 1n, running: new Set<bigint>() };
  readonly insertLsn = 1n;
  readonly complete = true;
  closed = false;

  async *rows(): AsyncGenerator<ReturnType<typeof row>[]> {
    yield await Promise.resolve([row(1n)]);
    yield [row(2n)];
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }
}

test('a pass that finds no room is cut short at its time, whatever the garbage collector does', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const room = new Room({ sentBytes: 1, sent: 1, undeleted: 1 });
  const pass = new TwoRows();
  const host: PassHost = {
    destination: 'd',
    reader: { open: () => Promise.resolve(pass), assignXid: () => Promise.resolve(1n) },
    room,
    trial: new Trial(),
    inFlight: () => 0,
    take: (rows) => {
      room.update({ sentBytes: 1, sent: 1, undeleted: 0 });
      return rows.length;
    },
    wanted: () => undefined,
    begin: () => undefined,
  };
  const collecting = setInterval(collect, 5);
  const outcome = await runPass(host, { rows: 10, timeMs: 100 }, new AbortController().signal).finally(() =>
    clearInterval(collecting),
  );
  expect(outcome).toMatchObject({ complete: false, taken: 1 });
  expect(pass.closed).toBe(true);
});
