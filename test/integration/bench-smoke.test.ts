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

let folder = '';
beforeAll(async () => {
  folder = await scratchFolder('bench-smoke');
});
afterAll(() => removeScratchFolder(folder));

describeWithLauncher('postgres', 'npm run bench -- smoke', () => {
  describeWithLauncher('kafka', 'with Kafka', () => {
    describeWithLauncher('rabbitmq', 'with RabbitMQ', () => {
      it(
        'does the work of every case, all of it by its ids, and reports it',
        async () => {
          const file = join(folder, 'report.json');
          await promisify(execFile)('npm', ['run', '-s', 'bench', '--', 'smoke', '--json', file], { cwd: ROOT });
          const { reports } = JSON.parse(await readFile(file, 'utf8')) as { reports: readonly CaseReport[] };
          expect(reports.map((report) => `${report.case} to ${report.broker}`)).toEqual([
            'drain to kafka',
            'stream to kafka',
            'latency to kafka',
            'bulkhead to kafka',
            'drain to rabbitmq',
            'stream to rabbitmq',
            'latency to rabbitmq',
            'bulkhead to rabbitmq',
          ]);
          for (const { ours, ratios } of reports.flatMap(({ series }) => series)) {
            expect(ours.messagesPerSecond).toBeGreaterThan(0);
            expect(ours.peakRssMb).toBeGreaterThan(0);
            for (const ratio of Object.values(ratios)) expect(ratio).toBeGreaterThan(0);
          }
        },
        TIMEOUT_MS,
      );
    });
  });
});
