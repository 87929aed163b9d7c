import type { Endpoint } from '../admin/http.ts';
import { pageEndpoints } from '../admin/page.ts';
import { parkedEndpoints } from '../admin/parked.ts';
import { tapEndpoint } from '../admin/tap.ts';
import { probeEndpoints, type ProbeSources } from '../admin/probes.ts';
import { type Config, redactConfig } from '../config/index.ts';
import type { Log } from '../core/log.ts';
import type { Telemetry } from '../observe/telemetry.ts';
import { parkedDesk } from './parked.ts';

/** What the admin port tells. */
export interface AdminParts extends ProbeSources {
  readonly config: Config;
  readonly telemetry: Telemetry;
  readonly log: Log;
}

/** All that the admin port answers. */
export function adminEndpoints({ config, telemetry, log, ...probes }: AdminParts): readonly Endpoint[] {
  return [
    ...probeEndpoints(probes),
    ...pageEndpoints({
      history: (after) => telemetry.history.since(after),
      config: () => redactedYaml(config),
    }),
    ...parkedEndpoints(parkedDesk(config), log),
    tapEndpoint({ tap: telemetry.tap, mode: config.admin.tap, log }),
  ];
}

/** As `outbox-relay config print` has it. */
async function redactedYaml(config: Config): Promise<string> {
  const { stringify } = await import('yaml');
  return stringify(redactConfig(config));
}
