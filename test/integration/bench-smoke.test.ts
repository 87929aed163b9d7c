import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { CaseReport } from '../bench/report.ts';
import { describeWithLauncher } from '../support/service.ts';
import { removeScratchFolder, scratchFolder } from '../support/services/scratch.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TIMEOUT_MS = 400_000;
const NUMBER: unknown = expect.any(Number);
const POSITIVE: unknown = expect.toSatisfy((value) => typeof value === 'number' && value > 0);

let folder = '';
beforeAll(async () => {
  folder = await scratchFolder('bench-smoke');
});
afterAll(() => removeScratchFolder(folder));

describeWithLauncher('postgres', 'npm run bench -- smoke', () => {
  describeWithLauncher('kafka', 'with Kafka', () => {
    describeWithLauncher('rabbitmq', 'with RabbitMQ', () => {
      it(
        'does the work of its cases, all of it by its ids, and reports it',
        async () => {
          const file = join(folder, 'report.json');
          await promisify(execFile)('npm', ['run', '-s', 'bench', '--', 'smoke', '--json', file], { cwd: ROOT });
          const { reports } = JSON.parse(await readFile(file, 'utf8')) as { reports: readonly CaseReport[] };
          expect(reports.map((report) => `${report.case} to ${report.broker}`)).toEqual([
            'drain to kafka',
            'stream to kafka',
            'latency to kafka',
            'start to kafka',
            'idle to kafka',
            'rabbitmq to rabbitmq',
          ]);
          for (const { case: name, machine, ours, ratios } of reports) {
            expect(machine.cores).toBeGreaterThan(0);
            expect(ours, name).toMatchObject({ cpuMicrosPerMessage: POSITIVE, peakRssMb: POSITIVE });
            for (const ratio of Object.values(ratios)) expect(ratio, name).toBeGreaterThan(0);
          }
          const named = Object.fromEntries(reports.map((report) => [report.case, report]));
          const { drain, latency, start, idle, rabbitmq } = named;
          expect(drain?.peers).toMatchObject({ 'client-alone': { messagesPerSecond: POSITIVE } });
          expect(drain?.ratios).toEqual({ 'client-alone': POSITIVE });
          expect(drain?.ours).toMatchObject({ postgresCpuMicrosPerMessage: NUMBER, walBytesPerMessage: POSITIVE });
          expect(latency?.ours).toMatchObject({ p50Ms: POSITIVE, p99Ms: POSITIVE });
          expect(start?.ours.firstMs).toBeGreaterThan(0);
          expect(idle?.ours.idleCpuPercent).toBeGreaterThanOrEqual(0);
          expect(rabbitmq?.series.map(({ work }) => work)).toEqual(['10,000 keys', '1 key']);
        },
        TIMEOUT_MS,
      );
    });
  });
});
