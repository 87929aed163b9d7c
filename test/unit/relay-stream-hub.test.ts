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
