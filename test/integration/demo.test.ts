import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { describeWithLauncher } from '../support/service.ts';
import { descendants, hasEnded } from '../support/services/child-process.ts';
import { until } from '../support/services/until.ts';

const MAIN = fileURLToPath(new URL('../../demo/main.ts', import.meta.url));

function startDemo(...args: readonly string[]) {
  const child = spawn(process.execPath, ['--import', 'tsx', MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const exit = once(child, 'exit').then(([code]) => code as number | null);
  const ended = Promise.all([text(child.stdout), text(child.stderr), exit]);
  return { child, ended };
}

describeWithLauncher('postgres', 'the demo', () => {
  it('publishes what it writes, and accounts for every row', async () => {
    const [stdout, stderr, code] = await startDemo('--for', '2s', '--rate', '100').ended;
    expect([stderr, code]).toEqual(['', 0]);
    const [, arrived, inserted] = /Accounted for: (\d+) of (\d+) inserted rows arrived, 0 missing/.exec(stdout) ?? [];
    expect(arrived).toBe(inserted);
    expect(Number(inserted)).toBeGreaterThan(50);
  });

  it('ends by Ctrl-C with the same accounting, and leaves nothing behind', async () => {
    const { child, ended } = startDemo('--for', 'ever', '--rate', '50', '--json');
    let progress = '';
    child.stderr.on('data', (chunk: Buffer) => (progress += chunk.toString()));
    await until(() => /inserted [1-9]/.test(progress), { what: 'the first rows', details: () => progress });
    const started = await descendants(child.pid ?? 0);
    child.kill('SIGINT');
    const [stdout, , code] = await ended;
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, missing: [], left: 0, relayExitCode: 0 });
    expect(started.length).toBeGreaterThan(2);
    expect(await Promise.all(started.map(hasEnded))).not.toContain(false);
  });

  it('refuses what it does not know', async () => {
    const [, stderr, code] = await startDemo('--broker', 'pigeon').ended;
    expect(code).toBe(2);
    expect(stderr).toContain('Allowed choices are console, kafka, rabbitmq');
  });
});
