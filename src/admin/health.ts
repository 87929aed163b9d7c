import type { StatusReport } from '../core/status.ts';

/** The answer of a probe. */
export interface Verdict {
  readonly ok: boolean;
  /** In a few words, why. */
  readonly reason: string;
}

/** Housekeeping comes round every few seconds, also while nothing can be reached: after a minute it is stuck. */
const HEARTBEAT_LIMIT_SECONDS = 60;

/** `/healthz`: whether the process does its work; if not, only a restart helps. Trouble with Postgres or a broker is none. */
export function liveness({ heartbeatAgeSeconds }: StatusReport): Verdict {
  if (heartbeatAgeSeconds === null || heartbeatAgeSeconds <= HEARTBEAT_LIMIT_SECONDS)
    return { ok: true, reason: 'alive' };
  return { ok: false, reason: `housekeeping has not come round for ${Math.floor(heartbeatAgeSeconds)} s` };
}

/** `/readyz`: whether the instance does what it is there for: it leads and every destination publishes, or it stands by. */
export function readiness({ role, destinations, shards }: StatusReport): Verdict {
  if (role === 'standby') return { ok: true, reason: 'standby' };
  if (role !== 'leader') return { ok: false, reason: role };
  const stuck = destinations.filter(({ state }) => state === 'down' || state === 'halted');
  const led = shards.filter(({ leads }) => leads).map(({ shard }) => shard);
  if (stuck.length === 0)
    return {
      ok: true,
      reason: shards.length === 0 ? 'leader' : `leader of ${led.join(', ')} of ${shards.length} shards`,
    };
  const reasons = stuck.map(
    ({ name, state, error }) => `${name} is ${state}${error === null ? '' : ` (${error.code})`}`,
  );
  return { ok: false, reason: reasons.join('; ') };
}
