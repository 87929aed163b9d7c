import { expect, test } from 'vitest';
import type { Stream, StreamListener, StreamSource } from '../../src/core/capture.ts';
import { RelayError } from '../../src/core/errors.ts';
import type { Destination } from '../../src/relay/destination.ts';
import { StreamHub } from '../../src/relay/stream-hub.ts';
import { noTelemetry } from '../support/simulation/telemetry.ts';

/** A source whose attempts end when the test says so. */
class HeldSource implements StreamSource {
  readonly attempts: {
    readonly listener: StreamListener;
    readonly signal: AbortSignal;
    readonly resolve: (stream: Stream) => void;
    readonly reject: (error: Error) => void;
  }[] = [];

  open(listener: StreamListener, signal: AbortSignal): Promise<Stream> {
    return new Promise((resolve, reject) => this.attempts.push({ listener, signal, resolve, reject }));
  }
}

/** A stream whose end the test decides on. */
function heldStream() {
  let closed: () => void = () => undefined;
  const end = new Promise<void>((resolve) => (closed = resolve));
  let asked = 0;
  const stream: Stream = {
    slotName: 's',
    pause: () => undefined,
    resume: () => undefined,
    close: () => {
      asked++;
      return end;
    },
  };
  return { stream, closed: () => closed(), asked: () => asked };
}

const router = { route: () => [], onError: () => 'halt', deadLetter: () => null } as never;

function hubOf(source: StreamSource): StreamHub {
  const hub = new StreamHub(source, router, noTelemetry(), { retryMs: 0, stallMs: 60_000 });
  const destination = { name: 'd', needsStream: true, takesStream: false, dispatch: () => undefined };
  hub.add(destination as unknown as Destination);
  return hub;
}

/** Whether a promise has been settled after all that is due has run. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  void promise.then(() => (done = true));
  await new Promise((resolve) => setImmediate(resolve));
  return done;
}

test('stop waits for an attempt that it has aborted', async () => {
  const source = new HeldSource();
  const hub = hubOf(source);
  hub.needsChanged();
  await settled(Promise.resolve());
  const stopped = hub.stop();
  expect(source.attempts[0]?.signal.aborted).toBe(true);
  expect(await settled(stopped)).toBe(false);
  source.attempts[0]?.reject(new RelayError('replication_failed', 'given up'));
  await stopped;
});

test('stop waits for the end of a stream that came too late', async () => {
  const source = new HeldSource();
  const hub = hubOf(source);
  hub.needsChanged();
  await settled(Promise.resolve());
  const stopped = hub.stop();
  const { stream, closed, asked } = heldStream();
  source.attempts[0]?.resolve(stream);
  expect(await settled(stopped)).toBe(false);
  expect(asked()).toBe(1);
  expect(hub.open).toBe(false);
  closed();
  await stopped;
});

test('no slot is asked for before that of a stream that broke is gone', async () => {
  const source = new HeldSource();
  const hub = hubOf(source);
  hub.needsChanged();
  await settled(Promise.resolve());
  const { stream, closed } = heldStream();
  source.attempts[0]?.resolve(stream);
  await settled(Promise.resolve());
  expect(hub.open).toBe(true);
  // the wait after it is that of the options: none
  source.attempts[0]?.listener.ended(new RelayError('wal_budget_exceeded', 'too much'));
  await new Promise((resolve) => setTimeout(resolve, 5));
  await settled(Promise.resolve());
  expect(source.attempts).toHaveLength(1);
  closed();
  await settled(Promise.resolve());
  expect(source.attempts).toHaveLength(2);
});

/** Destinations that take a stream, of which the first is told to be without pace or room. */
async function streamingHub(takers: number) {
  const source = new HeldSource();
  const hub = new StreamHub(source, router, noTelemetry(), { retryMs: 0, stallMs: 5 });
  const letGo: string[] = [];
  const destinations = Array.from({ length: takers }, (_, n) => ({
    name: `d${n}`,
    needsStream: true,
    takesStream: true,
    state: { name: 'streaming' },
    outlet: { room: { full: false }, pace: { full: false } },
    dispatch: ({ type }: { type: string }) => letGo.push(`d${n} ${type}`),
  }));
  for (const destination of destinations) hub.add(destination as unknown as Destination);
  hub.needsChanged();
  await settled(Promise.resolve());
  let paused = false;
  source.attempts[0]?.resolve({
    slotName: 's',
    pause: () => (paused = true),
    resume: () => (paused = false),
    close: () => Promise.resolve(),
  });
  await settled(Promise.resolve());
  letGo.length = 0;
  const [first] = destinations;
  if (first === undefined) throw new Error('a hub without destinations');
  const change = (full: { readonly room: boolean; readonly pace: boolean }): void => {
    first.outlet.room.full = full.room;
    first.outlet.pace.full = full.pace;
    hub.roomChanged('d0');
  };
  return { change, paused: () => paused, letGo };
}

test('the stream of one destination keeps its pace, and is let go of when that lasts', async () => {
  const { change, paused, letGo } = await streamingHub(1);
  change({ room: false, pace: true });
  expect(paused()).toBe(true);
  change({ room: false, pace: false });
  expect([paused(), letGo]).toEqual([false, []]);
  change({ room: false, pace: true });
  await expect.poll(() => letGo).toEqual(['d0 buffer-full']);
});

test('a destination does not slow down the stream of others: it goes on beside them until it has no room', async () => {
  const { change, paused, letGo } = await streamingHub(2);
  change({ room: false, pace: true });
  expect([paused(), letGo]).toEqual([false, []]);
  change({ room: true, pace: true });
  expect([paused(), letGo]).toEqual([false, ['d0 buffer-full']]);
});
