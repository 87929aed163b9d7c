import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { tableMapping } from '../../src/app/routes.ts';
import { shardLayout } from '../../src/app/sharding.ts';
import { type Config, loadConfig } from '../../src/config/index.ts';
import { APPLICATION, BASE, MATRIX, REFUSALS } from '../support/deployment/chart-values.ts';
import { CHART, helm, helmProgram, render, template, type Values, withValues } from '../support/deployment/helm.ts';
import { kubernetesCheck, type ManifestCheck } from '../support/deployment/kubernetes-schemas.ts';
import { type Container, type Manifest, only, podOf, type PodSpec } from '../support/deployment/manifest.ts';
import { operatorCheck } from '../support/deployment/operator-schemas.ts';
import { describeWithTool } from '../support/service.ts';

/** The oldest version that the chart is for, one in the middle, the newest that there are schemas of. */
const VERSIONS = ['1.29', '1.33', '1.37'] as const;
const WITHOUT_SIDECARS = '1.27';

/** What names of Services, volumes and the like must be. */
const DNS_LABEL = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** The configuration as the relay would load it in the pod; secrets that exist already are made up. */
function configOf(manifests: readonly Manifest[], values: Values): Config | null {
  const holder = manifests.find(({ metadata, data, stringData }) => {
    return metadata.name === 'shop-outbox-relay' && (data ?? stringData)?.['config.yaml'] !== undefined;
  });
  const text = (holder?.data ?? holder?.stringData)?.['config.yaml'];
  if (text === undefined) {
    expect(values).toHaveProperty('existingConfig');
    return null;
  }
  return loadConfig({
    file: 'config.yaml',
    env: { DATABASE_URL: 'postgres://db/shop' },
    readFile: (path) => (path === 'config.yaml' ? text : 'a-token-that-is-long-enough'),
  });
}

const containersOf = ({ containers, initContainers = [] }: PodSpec): readonly Container[] => [
  ...containers,
  ...initContainers,
];

/** What hangs together by names: nothing in a manifest refers to what is not there. */
function danglingNames(manifests: readonly Manifest[], existing: readonly string[]): readonly string[] {
  const names = new Set([...existing, ...manifests.map(({ kind, metadata }) => `${kind} ${metadata.name}`)]);
  return manifests
    .filter(({ kind }) => kind === 'Deployment' || kind === 'Job')
    .flatMap((manifest) => {
      const { spec } = (manifest.spec as { template: { spec: PodSpec } }).template;
      const volumes = new Set(spec.volumes.map(({ name }) => name));
      const mounted = containersOf(spec).flatMap(({ volumeMounts = [] }) => volumeMounts.map(({ name }) => name));
      const references = [
        ...spec.volumes.flatMap(({ configMap, secret }) => [
          ...(configMap ? [`ConfigMap ${configMap.name}`] : []),
          ...(secret ? [`Secret ${secret.secretName}`] : []),
        ]),
        ...containersOf(spec).flatMap(({ envFrom = [] }) =>
          envFrom.flatMap(({ secretRef }) => (secretRef ? [`Secret ${secretRef.name}`] : [])),
        ),
      ];
      return [...mounted.filter((name) => !volumes.has(name)), ...references.filter((name) => !names.has(name))];
    });
}

async function obtain(): Promise<readonly ManifestCheck[]> {
  await helmProgram();
  const operator = await operatorCheck();
  const checks = await Promise.all(VERSIONS.map(kubernetesCheck));
  return checks.map((check) => (manifest) => operator(manifest) ?? check(manifest));
}

describeWithTool('helm and the schemas of Kubernetes', obtain, 'the chart', (checks) => {
  it.each(Object.entries(MATRIX))('passes lint with %s', async (_, values) => {
    const { code, text } = await withValues(values, (file) => helm('lint', '--strict', CHART, '-f', file));
    expect(text).not.toMatch(/\[(WARNING|ERROR)\]/);
    expect(code).toBe(0);
  });

  describe.each(Object.entries(MATRIX))('with %s', (_, values) => {
    it.each(VERSIONS.map((version, at) => [version, checks[at]!] as const))(
      'makes what Kubernetes %s takes',
      async (version, check) => {
        const manifests = await render(values, { kubernetes: `${version}.0` });
        expect(manifests.length).toBeGreaterThan(0);
        const faults = manifests.flatMap((manifest) => check(manifest).map((fault) => `${manifest.kind}${fault}`));
        expect(faults).toEqual([]);
      },
    );

    it('configures a relay that starts, and refers to nothing that is not there', async () => {
      const manifests = await render(values);
      const warnings = configOf(manifests, values)?.warnings ?? [];
      expect(warnings.filter((warning) => !warning.includes('admin.token'))).toEqual([]);
      const existing = ['Secret owner', 'Secret relay', 'Secret mine', 'Secret ca'];
      expect(danglingNames(manifests, existing)).toEqual([]);
      const named = manifests.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
      expect(new Set(named).size).toBe(named.length);
    });
  });

  it.each(REFUSALS)('refuses %s', async (_, values, message) => {
    const { code, text } = await template(values);
    expect(text).toMatch(message);
    expect(code).not.toBe(0);
  });

  it.each([
    ['a long release', {}, 'a'.repeat(53)],
    ['a release with dots', {}, 'shop.eu-1.example'],
    ['a long name', { nameOverride: 'b'.repeat(63) }, 'shop'],
    ['a long full name', { fullnameOverride: 'c'.repeat(70) }, 'shop'],
  ])('gives %s names that Kubernetes takes', async (_, names, release) => {
    const init = { enabled: true, existingSecret: 'owner' };
    const manifests = await render(
      { ...BASE, ...names, init, monitoring: { dashboard: { enabled: true } } },
      { release },
    );
    for (const kind of ['Deployment', 'Job']) {
      const { metadata, spec } = podOf(manifests, kind);
      const labels = Object.values(metadata.labels);
      expect(labels.filter((label) => label.length > 63)).toEqual([]);
      expect(spec.volumes.map(({ name }) => name).filter((name) => !DNS_LABEL.test(name))).toEqual([]);
    }
    expect(manifests.map(({ metadata }) => metadata.name).filter((name) => !DNS_LABEL.test(name))).toEqual([]);
  });

  it('refuses a sidecar where Kubernetes has none', async () => {
    const values = MATRIX['a sidecar of an application']!;
    const { text } = await template(values, { kubernetes: `${WITHOUT_SIDECARS}.0` });
    expect(text).toMatch(/needs Kubernetes 1\.29 or later/);
    await expect(render(BASE, { kubernetes: `${WITHOUT_SIDECARS}.0` })).resolves.toHaveLength(6);
  });

  it('runs without privileges, and on a file system that cannot be written to', async () => {
    const manifests = await render({ ...BASE, init: { enabled: true, existingSecret: 'owner' } });
    for (const kind of ['Deployment', 'Job']) {
      const { spec } = podOf(manifests, kind);
      expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
      expect(spec).toMatchObject({ automountServiceAccountToken: false, enableServiceLinks: false });
      for (const { securityContext } of containersOf(spec))
        expect(securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
    }
  });

  it('makes new pods for a new configuration and new credentials, and for nothing else', async () => {
    const annotations = async (values: Values): Promise<unknown> => podOf(await render(values)).metadata.annotations;
    const before = await annotations(BASE);
    expect(await annotations({ ...BASE, replicas: 3 })).toEqual(before);
    expect(await annotations({ ...BASE, config: { ...BASE.config, log: { level: 'debug' } } })).not.toEqual(before);
    expect(await annotations({ ...BASE, credentials: { create: { DATABASE_URL: 'other' } } })).not.toEqual(before);
  });

  it.each([
    [undefined, 30],
    ['0s', 10],
    ['1.5m', 100],
    ['1500ms', 12],
  ])('gives a pod more time to end than a drain of %s takes', async (drain, seconds) => {
    const config = drain === undefined ? BASE.config : { ...BASE.config, shutdown: { drain } };
    expect(podOf(await render({ ...BASE, config })).spec.terminationGracePeriodSeconds).toBe(seconds);
  });

  it('asks for the token that monitors are given', async () => {
    const manifests = await render(MATRIX['everything at once']!);
    const { warnings, admin } = configOf(manifests, BASE)!;
    expect(warnings).toEqual([]);
    expect(admin.tokenFile).toBe('/run/secrets/outbox-relay/admin-token');
    expect(only(manifests, 'ServiceMonitor').spec).toMatchObject({
      endpoints: [{ authorization: { credentials: { name: 'shop-outbox-relay-credentials', key: 'admin-token' } } }],
    });
  });

  it('asks the admin port of the configuration, by TLS where that has it', async () => {
    const config = { ...BASE.config, admin: { port: 9999, tls: { cert: '/tls/tls.crt', key: '/tls/tls.key' } } };
    const manifests = await render({ ...BASE, config });
    const [relay] = podOf(manifests).spec.containers;
    expect(relay?.ports).toMatchObject([{ name: 'admin', containerPort: 9999 }]);
    expect(relay?.livenessProbe?.httpGet).toEqual({ path: '/healthz', port: 'admin', scheme: 'HTTPS' });
    expect(relay?.readinessProbe?.httpGet).toEqual({ path: '/readyz', port: 'admin', scheme: 'HTTPS' });
    expect(only(manifests, 'Service').spec).toMatchObject({ ports: [{ port: 9999, targetPort: 'admin' }] });
  });

  it('is a native sidecar that does not take the application out of its service', async () => {
    const { spec } = podOf(await render(MATRIX['a sidecar of an application']!));
    expect(spec.containers).toEqual([APPLICATION]);
    const [relay, ...others] = spec.initContainers ?? [];
    expect(others).toEqual([]);
    expect(relay).toMatchObject({ name: 'outbox-relay', restartPolicy: 'Always' });
    expect(relay?.startupProbe).toBeDefined();
    expect(relay?.readinessProbe).toBeUndefined();
  });

  it('keeps a mesh from the protocols that it does not know, and its proxy from the job', async () => {
    const istio = await render(MATRIX.istio!);
    expect(podOf(istio).metadata.annotations).toMatchObject({
      'traffic.sidecar.istio.io/excludeOutboundPorts': '5432,9092,9093,5671,5672',
      'traffic.sidecar.istio.io/excludeInboundPorts': '9464',
    });
    const proxy = JSON.parse(podOf(istio).metadata.annotations['proxy.istio.io/config'] ?? '') as unknown;
    expect(proxy).toMatchObject({ holdApplicationUntilProxyStarts: true });
    expect(podOf(istio, 'Job').metadata.labels['sidecar.istio.io/inject']).toBe('false');

    expect(podOf(await render(MATRIX.linkerd!)).metadata.annotations).toMatchObject({
      'linkerd.io/inject': 'enabled',
      'config.linkerd.io/proxy-await': 'enabled',
      'config.linkerd.io/skip-outbound-ports': '5432,9092,9093,5671,5672',
    });
  });

  it('prepares the database before anything of the release is there, by nothing of the release', async () => {
    const manifests = await render(MATRIX['everything at once']!);
    const hooks = manifests.filter(({ metadata }) => metadata.annotations?.['helm.sh/hook'] !== undefined);
    expect(hooks.map(({ kind }) => kind)).toEqual(['ConfigMap', 'Job']);
    expect(hooks.map(({ metadata }) => metadata.annotations?.['helm.sh/hook'])).toEqual(
      Array(2).fill('pre-install,pre-upgrade'),
    );
    expect(danglingNames(hooks, ['Secret owner', 'Secret ca'])).toEqual([]);
    expect(podOf(hooks, 'Job').spec).not.toHaveProperty('serviceAccountName');
  });

  it('prepares the database for what the relay is going to do there', async () => {
    const values = MATRIX['shards, two brokers and health checks by gRPC']!;
    const manifests = await render(values);
    const job = manifests.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name.endsWith('-init'));
    const prepared = loadConfig({
      file: 'config.yaml',
      env: {},
      readFile: (path) => (path === 'config.yaml' ? (job?.data?.[path] ?? '') : 'postgres://owner@db/shop'),
    });
    const relay = configOf(manifests, values)!;
    expect(shardLayout(prepared)).toEqual({ shards: 4, by: 'tenant' });
    expect(shardLayout(prepared)).toEqual(shardLayout(relay));
    expect(tableMapping(prepared)).toEqual(tableMapping(relay));
    expect(prepared.capture).toEqual(relay.capture);
    // no secret of the relay, and no broker
    expect(Object.values(prepared.destinations)).toEqual([{ type: 'console' }, { type: 'console' }]);
  });

  it('lets health checks by gRPC in', async () => {
    const values = MATRIX['shards, two brokers and health checks by gRPC']!;
    const manifests = await render(values);
    expect(configOf(manifests, values)?.admin.grpc).toEqual({ host: '0.0.0.0', port: 9465 });
    const [relay] = podOf(manifests).spec.containers;
    expect(relay?.ports).toMatchObject([{ name: 'admin' }, { name: 'grpc-health', containerPort: 9465 }]);
    expect(only(manifests, 'NetworkPolicy').spec).toMatchObject({
      ingress: [{ ports: [{ port: 'admin' }, { port: 'grpc-health' }] }],
    });
  });

  it('takes a drain that it does not know, where the time to end is given', async () => {
    const config = { ...BASE.config, shutdown: { drain: '${DRAIN:-20s}' } };
    await expect(render({ ...BASE, config })).rejects.toThrow(/or set terminationGracePeriodSeconds/);
    const manifests = await render({ ...BASE, config, terminationGracePeriodSeconds: 60 });
    expect(podOf(manifests).spec.terminationGracePeriodSeconds).toBe(60);
  });

  it('brings the alerts and the dashboard as they are', async () => {
    const manifests = await render(MATRIX['everything at once']!);
    const rules = await readFile(join(CHART, 'alerts/outbox-relay.rules.yaml'), 'utf8');
    expect(only(manifests, 'PrometheusRule').spec).toEqual(parse(rules));
    const dashboard = await readFile(join(CHART, 'dashboards/outbox-relay.json'), 'utf8');
    const shown = manifests.find(({ metadata }) => metadata.name === 'shop-outbox-relay-dashboard');
    expect(shown?.metadata.labels).toMatchObject({ grafana_dashboard: '1' });
    expect(JSON.parse(shown?.data?.['outbox-relay.json'] ?? '')).toEqual(JSON.parse(dashboard));
  });

  it('stands in the pods of another chart that depends on it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'outbox-relay-parent-'));
    try {
      await writeParent(folder);
      const values = { 'outbox-relay': { ...BASE, mode: 'sidecar' } };
      const manifests = await render(values, { chart: folder });
      const deployment = only(manifests, 'Deployment');
      expect(podOf([deployment]).spec.initContainers).toMatchObject([
        { name: 'outbox-relay', restartPolicy: 'Always' },
      ]);
      expect(danglingNames(manifests, [])).toEqual([]);
      expect(checks.flatMap((check) => check(deployment))).toEqual([]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

/** The chart of an application, as docs/kubernetes.md has it. */
async function writeParent(folder: string): Promise<void> {
  await mkdir(join(folder, 'templates'));
  const dependencies = [{ name: 'outbox-relay', version: '*', repository: `file://${CHART}` }];
  const chart = { apiVersion: 'v2', name: 'shop', version: '1.0.0', dependencies };
  await writeFile(join(folder, 'Chart.yaml'), JSON.stringify(chart));
  const page = await readFile(join(CHART, '../../docs/kubernetes.md'), 'utf8');
  const shown = /^```text\n(# templates\/deployment\.yaml\n[\s\S]*?)^```$/m.exec(page)?.[1];
  await writeFile(join(folder, 'templates/deployment.yaml'), shown ?? '');
  const { code, text } = await helm('dependency', 'update', folder);
  if (code !== 0) throw new Error(text);
}
