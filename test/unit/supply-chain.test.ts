import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const ROOT = new URL('../../', import.meta.url);

interface Component {
  readonly 'bom-ref': string;
  readonly type: string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
}

/** The parts of CycloneDX 1.5 that are looked at: https://cyclonedx.org/docs/1.5/json/ */
interface Bom {
  readonly bomFormat: string;
  readonly specVersion: string;
  readonly serialNumber: string;
  readonly version: number;
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

interface Lock {
  readonly packages: Readonly<
    Record<string, { readonly resolved?: string; readonly integrity?: string; readonly link?: boolean }>
  >;
}

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
}

const read = (name: string): unknown => JSON.parse(readFileSync(new URL(name, ROOT), 'utf8'));

describe('what is shipped', () => {
  it('is listed by npm run sbom, as CycloneDX: everything that runs, with hashes, and nothing else', async () => {
    const { stdout } = await promisify(execFile)('npm', ['run', '-s', 'sbom'], { cwd: ROOT, maxBuffer: 2 ** 26 });
    const bom = JSON.parse(stdout) as Bom;
    expect(bom).toMatchObject({ bomFormat: 'CycloneDX', specVersion: '1.5', version: 1 });
    expect(bom.serialNumber).toMatch(/^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(bom.metadata.component).toMatchObject({ type: 'application', name: 'outbox-relay' });
    const { dependencies } = read('package.json') as Manifest;
    const names = new Set(bom.components.map(({ name }) => name));
    expect(Object.keys(dependencies).filter((name) => !names.has(name))).toEqual([]);
    for (const name of ['typescript', 'vitest', 'eslint']) expect(names.has(name), name).toBe(false);
    for (const { type, name, version, purl, hashes } of bom.components) {
      expect(type).toBe('library');
      expect(decodeURIComponent(purl)).toBe(`pkg:npm/${name}@${version}`);
      expect(hashes?.map(({ alg, content }) => [alg, /^[0-9a-f]{128}$/.test(content)])).toEqual([['SHA-512', true]]);
    }
    const refs = [bom.metadata.component, ...bom.components].map((component) => component['bom-ref']);
    expect(new Set(refs).size).toBe(refs.length);
    expect(bom.dependencies.map(({ ref }) => ref).sort()).toEqual([...refs].sort());
    expect(bom.dependencies.flatMap(({ dependsOn }) => dependsOn).filter((ref) => !refs.includes(ref))).toEqual([]);
  }, 60_000);

  it('comes from the public registry, byte for byte as it was when it was locked', () => {
    const { packages } = read('package-lock.json') as Lock;
    const fetched = Object.entries(packages).filter(([path, { link }]) => path.includes('node_modules/') && !link);
    expect(fetched.length).toBeGreaterThan(100);
    expect(
      fetched.filter(([, { integrity }]) => integrity?.startsWith('sha512-') !== true).map(([path]) => path),
    ).toEqual([]);
    const hosts = fetched.flatMap(([, { resolved }]) => (resolved === undefined ? [] : [new URL(resolved).host]));
    expect([...new Set(hosts)].filter((host) => host !== 'registry.npmjs.org')).toEqual([]);
  });
});
