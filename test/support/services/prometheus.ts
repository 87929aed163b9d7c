import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ServiceProcess, spawnService } from './child-process.ts';
import { freePort, retryOnTakenPort } from './ports.ts';
import { prometheusDistribution } from './prometheus-distribution.ts';
import { removeScratchFolder, scratchFolder } from './scratch.ts';

const START_TIMEOUT_MS = 60_000;

/** What a Prometheus scrapes, and which rules it goes by. */
export interface PrometheusOptions {
  /** The name of the job. */
  readonly job: string;
  /** `host:port` of each instance. */
  readonly targets: readonly string[];
  /** Between two scrapes, and two evaluations of the rules. @default '500ms' */
  readonly interval?: string;
  /** The content of a file of rules. */
  readonly rules?: string;
}

/** One series of an answer, with its value now. */
export interface PrometheusSample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

/** An alert that is pending or firing. */
export interface ActiveAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly state: 'pending' | 'firing';
}

/** A Prometheus of its own, which never outlives this process. */
export class StartedPrometheus {
  readonly url: string;
  readonly #process: ServiceProcess;
  readonly #folder: string;

  constructor(url: string, process: ServiceProcess, folder: string) {
    this.url = url;
    this.#process = process;
    this.#folder = folder;
  }

  /** What an expression comes to now. @throws when Prometheus refuses it; the message says why */
  async query(expression: string): Promise<readonly PrometheusSample[]> {
    const data = (await this.#ask(`query?${new URLSearchParams({ query: expression }).toString()}`)) as {
      result: readonly { metric: Record<string, string>; value: [number, string] }[];
    };
    return data.result.map(({ metric, value: [, value] }) => ({ metric, value: Number(value) }));
  }

  /** All alerts that are pending or firing. */
  async alerts(): Promise<readonly ActiveAlert[]> {
    return ((await this.#ask('alerts')) as { alerts: readonly ActiveAlert[] }).alerts;
  }

  /** The end of its log. */
  log(): Promise<string> {
    return this.#process.output();
  }

  async dispose(): Promise<void> {
    await this.#process.killTree();
    await removeScratchFolder(this.#folder);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  async #ask(path: string): Promise<unknown> {
    const response = await fetch(`${this.url}/api/v1/${path}`, { signal: AbortSignal.timeout(10_000) });
    const answer = (await response.json()) as { status: string; data: unknown; error?: string };
    if (answer.status !== 'success') throw new Error(`${path}: ${answer.error ?? response.status}`);
    return answer.data;
  }
}

/** Starts a Prometheus. @throws when it is not to be had, or refuses its configuration; the message says why */
export async function startPrometheus(options: PrometheusOptions): Promise<StartedPrometheus> {
  const { prometheus } = await prometheusDistribution();
  return retryOnTakenPort(async () => {
    const folder = await scratchFolder('prometheus');
    try {
      await writeFile(join(folder, 'prometheus.json'), JSON.stringify(configuration(options)));
      if (options.rules !== undefined) await writeFile(join(folder, 'rules.yaml'), options.rules);
      const address = `127.0.0.1:${await freePort()}`;
      const args = [
        `--config.file=${join(folder, 'prometheus.json')}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=${address}`,
        '--log.level=warn',
      ];
      const child = await spawnService(prometheus, args, { logFile: join(folder, 'prometheus.log'), cwd: folder });
      const started = new StartedPrometheus(`http://${address}`, child, folder);
      await child.untilReady(async () => (await fetch(`${started.url}/-/ready`)).ok, START_TIMEOUT_MS);
      return started;
    } catch (error) {
      await removeScratchFolder(folder);
      throw error;
    }
  });
}

/** JSON is YAML. */
function configuration({ job, targets, interval = '500ms', rules }: PrometheusOptions): unknown {
  return {
    global: { scrape_interval: interval, scrape_timeout: interval, evaluation_interval: interval },
    rule_files: rules === undefined ? [] : ['rules.yaml'],
    scrape_configs: [{ job_name: job, static_configs: [{ targets }] }],
  };
}
