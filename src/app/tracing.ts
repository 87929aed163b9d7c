import type { Config } from '../config/index.ts';
import type { Log } from '../core/log.ts';
import type { Telemetry } from '../observe/telemetry.ts';
import { resolveTracing } from '../observe/tracing/settings.ts';
import type { Tracing } from '../observe/tracing/spans.ts';

/**
 * Begins to trace messages, where that is asked for. To be done before a term of leadership begins.
 *
 * @returns null: it is off, and none of its packages is loaded
 */
export async function beginTracing(
  config: Config,
  version: string,
  telemetry: Telemetry,
  log: Log,
): Promise<Tracing | null> {
  if (!config.tracing.enabled) return null;
  const { settings, warnings } = resolveTracing(config.tracing, process.env);
  for (const warning of warnings) log.warn({}, warning);
  if (settings === null) {
    log.info({}, 'tracing is switched off by the environment');
    return null;
  }
  const { startTracing } = await import('../observe/tracing/open-telemetry.ts');
  const systems = new Map(Object.entries(config.destinations).map(([name, { type }]) => [name, type] as const));
  const tracing = await startTracing(settings, { version, systems }, telemetry.spans);
  telemetry.trace(tracing);
  const { protocol, sampler } = settings;
  log.info({ protocol, sampler }, 'messages are traced');
  return tracing;
}
