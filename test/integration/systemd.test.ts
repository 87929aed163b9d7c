import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit-codes.ts';
import { load, MINIMAL } from '../unit/config-support.ts';
import { describeWithTool } from '../support/service.ts';

const run = promisify(execFile);
const UNIT = fileURLToPath(new URL('../../deploy/systemd/outbox-relay.service', import.meta.url));
/** `systemd-analyze` from this version on judges files without a running systemd. */
const OLDEST = 250;

async function obtain(): Promise<void> {
  const { stdout } = await run('systemd-analyze', ['--version']);
  const version = Number(/^systemd (\d+)/.exec(stdout)?.[1]);
  if (!(version >= OLDEST)) throw new Error(`systemd ${version} is older than ${OLDEST}`);
}

describeWithTool('systemd-analyze', obtain, 'the systemd unit', () => {
  it('is understood by systemd, to the last line', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'outbox-relay-systemd-'));
    try {
      // the program is not installed here: another that is stands in its place
      const text = (await readFile(UNIT, 'utf8')).replace('/usr/bin/outbox-relay', process.execPath);
      const file = join(folder, 'outbox-relay.service');
      await writeFile(file, text);
      const { stdout, stderr } = await run('systemd-analyze', ['verify', '--man=no', file]);
      expect(stdout + stderr).toBe('');
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('leaves a relay little that it could be abused for', async () => {
    const { stdout } = await run('systemd-analyze', ['security', '--offline=true', '--no-pager', UNIT]);
    const exposure = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(stdout)?.[1]);
    expect(exposure).toBeLessThan(2);
  });

  it('ends and restarts as the relay does', async () => {
    const text = await readFile(UNIT, 'utf8');
    const setting = (name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1] ?? '';
    expect(setting('RestartPreventExitStatus')).toBe(`${EXIT.usage} ${EXIT.configuration}`);
    // 5 s is what run.ts allows itself beyond the drain
    expect(Number(setting('TimeoutStopSec')) * 1000).toBeGreaterThan(load(MINIMAL).shutdown.drain + 5_000);
  });
});
