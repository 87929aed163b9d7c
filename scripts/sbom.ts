/**
 * `npm run sbom`: the software bill of materials of what is installed with the package, as CycloneDX JSON on standard
 * output. `npm sbom --omit dev` alone leaves out packages that development needs as well; so all are listed by npm, and
 * those kept here that the dependencies of the package reach.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const ROOT = new URL('..', import.meta.url);

interface Component {
  readonly 'bom-ref': string;
  readonly name: string;
}

interface Bom {
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

interface Manifest {
  readonly name: string;
  readonly dependencies: Readonly<Record<string, string>>;
}

/** What the root's own `dependencies` reach. */
function shipped(bom: Bom, manifest: Manifest): ReadonlySet<string> {
  const edges = new Map(bom.dependencies.map(({ ref, dependsOn }) => [ref, dependsOn]));
  const names = new Map(bom.components.map((component) => [component['bom-ref'], component.name]));
  const direct = edges.get(bom.metadata.component['bom-ref']) ?? [];
  const reached = new Set(direct.filter((ref) => (names.get(ref) ?? '') in manifest.dependencies));
  // a set is walked over what is added meanwhile, too
  for (const ref of reached) for (const next of edges.get(ref) ?? []) reached.add(next);
  return reached;
}

const manifest = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8')) as Manifest;
const listed = execFileSync('npm', ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'], {
  cwd: ROOT,
  maxBuffer: 2 ** 28,
  stdio: ['ignore', 'pipe', 'ignore'],
});
const bom = JSON.parse(listed.toString()) as Bom;
const kept = shipped(bom, manifest);
const root = bom.metadata.component['bom-ref'];
const dependencies = bom.dependencies
  .filter(({ ref }) => ref === root || kept.has(ref))
  .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((one) => kept.has(one)) }));
const result = {
  ...bom,
  // npm takes the folder's name for it
  metadata: { ...bom.metadata, component: { ...bom.metadata.component, type: 'application', name: manifest.name } },
  components: bom.components.filter((component) => kept.has(component['bom-ref'])),
  dependencies,
};
process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
