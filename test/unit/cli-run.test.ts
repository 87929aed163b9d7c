import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { outboxRelay } from '../support/cli.ts';

it('hears a signal that comes while it is still loading', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'outbox-relay-run-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'relay.yaml');
  // nobody answers at port 1: without the signal it would wait for a database for ever
  const config = {
    postgres: { url: 'postgres://relay@127.0.0.1:1/shop' },
    destinations: { out: { type: 'console' } },
    admin: { port: 0 },
  };
  await writeFile(file, JSON.stringify(config));

  const listeners = process.listenerCount('SIGTERM');
  const ended = outboxRelay('run', '--config', file);
  process.emit('SIGTERM');

  expect((await ended).code).toBe(0);
  expect(process.listenerCount('SIGTERM')).toBe(listeners);
});
