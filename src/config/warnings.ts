import { isLoopback } from '../core/loopback.ts';
import { routeWarnings } from './resolve-routes.ts';
import type { Config } from './schema/config.ts';

/** What is permitted and yet probably not meant. */
export function configWarnings(config: Omit<Config, 'warnings'>): readonly string[] {
  return [...routeWarnings(config.routes, Object.keys(config.destinations)), ...adminWarnings(config.admin)];
}

function adminWarnings({ host, token, tls }: Config['admin']): readonly string[] {
  if (isLoopback(host) || token !== null || tls?.clientCa !== undefined) return [];
  return [
    `admin.host ${host} is reachable from other hosts, and nothing asks who is there: set admin.tokenFile (or admin.token), or admin.tls.clientCa`,
  ];
}
