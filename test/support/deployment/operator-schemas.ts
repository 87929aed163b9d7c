import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { npmPackage } from '../services/npm-package.ts';
import type { Manifest } from './manifest.ts';

/** A package of npm with the schemas of the Prometheus operator's resources. */
const CARRIER = { name: '@kubernetes-models/prometheus-operator', version: '6.0.0' } as const;
const GROUP = 'monitoring.coreos.com';

type Models = Readonly<Record<string, (new (manifest: Manifest) => { validate(): void }) | undefined>>;

/**
 * Checks the resources of the Prometheus operator (`monitoring.coreos.com/v1`); null for objects of others.
 *
 * @throws when the schemas are not to be had
 */
export async function operatorCheck(): Promise<(manifest: Manifest) => readonly string[] | null> {
  const beside = await npmPackage(CARRIER.name, CARRIER.version);
  const index = join(beside, '../node_modules', CARRIER.name, GROUP, 'v1/index.js');
  const models = (await import(pathToFileURL(index).href)) as Models;
  return (manifest) => {
    if (manifest.apiVersion !== `${GROUP}/v1`) return null;
    const Model = models[manifest.kind];
    if (Model === undefined) return [`${GROUP}/v1 has no ${manifest.kind}`];
    try {
      new Model(manifest).validate();
      return [];
    } catch (error) {
      return [error instanceof Error ? error.message : String(error)];
    }
  };
}
