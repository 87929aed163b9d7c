import { expect, it } from 'vitest';
import { startCli } from '../support/cli-process.ts';
import { relayOutbox } from '../support/relay-outbox.ts';
import { startRelay } from '../support/relay-process.ts';
import { describeWithService, freshDatabase } from '../support/service.ts';
import { freePort } from '../support/services/ports.ts';

describeWithService('postgres', 'outbox-relay status --watch', () => {
  const database = freshDatabase();

  it('goes on while the relay is dead, says so, and tells of the next one at the same address', async () => {
    const outbox = await relayOutbox(database.url);
    const port = await freePort();
    const config = outbox.config({
      destinations: { out: { type: 'console' } },
      routes: [{ destination: 'out' }],
      admin: { port },
    });
    const first = await startRelay(config);
    const watch = startCli('status', '--watch', '--interval', '0.1', '--url', first.adminUrl);
    const alive = await watch.printed(/^\d{4}-\S+Z {2}ok: Publishing; .*no row waits; \d.* rows\/s.*\n/m);

    await first.end('SIGKILL');
    const lost = new RegExp(`^\\d{4}-\\S+Z  .*127\\.0\\.0\\.1:${port}.*\\n`, 'm');
    // more than once: it goes on
    const dead = await watch.printed(lost, await watch.printed(lost, alive));
    await startRelay(config);
    const back = await watch.printed(/^\d{4}-\S+Z {2}ok: Publishing; .*\n/m, dead);
    // what is told between the two is trouble, and no figures of the relay that is gone
    const between = watch.output().slice(alive, back).split('\n');
    const fromLoss = between.slice(between.findIndex((line) => !/ (ok|working): /.test(line)));
    expect(fromLoss.findIndex((line) => / (ok|working): /.test(line))).toBeGreaterThanOrEqual(2);

    watch.process.kill('SIGINT');
    expect(await watch.code).toBe(130);
  }, 120_000);
});
