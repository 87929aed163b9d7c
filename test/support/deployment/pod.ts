import type { ContainerOptions } from './container.ts';
import type { Container, Manifest, PodSpec } from './manifest.ts';

/** Secrets that are there already: what each holds, by its name. */
export type Secrets = Readonly<Record<string, Readonly<Record<string, string>>>>;

/**
 * What the kubelet gives a container of a pod: its arguments, its environment, and the files of its volumes.
 *
 * @param manifests where its ConfigMaps and Secrets are
 * @throws when one of them is neither there nor among `secrets`
 */
export function containerOptions(
  pod: PodSpec,
  container: Container,
  manifests: readonly Manifest[],
  secrets: Secrets = {},
): ContainerOptions {
  const contents = (kind: string, name: string): Readonly<Record<string, string>> => {
    const found = manifests.find((manifest) => manifest.kind === kind && manifest.metadata.name === name);
    const content = kind === 'Secret' ? (secrets[name] ?? found?.stringData) : found?.data;
    if (content === undefined) throw new Error(`there is no ${kind} ${name}`);
    return content;
  };
  const files = container.volumeMounts.flatMap(({ name, mountPath }) => {
    const volume = pod.volumes.find((each) => each.name === name);
    const content =
      volume?.configMap === undefined
        ? contents('Secret', volume?.secret?.secretName ?? '')
        : contents('ConfigMap', volume.configMap.name);
    return Object.entries(content).map(([key, text]) => [`${mountPath}/${key}`, text] as const);
  });
  const env = [
    ...(container.envFrom ?? []).flatMap(({ secretRef }) =>
      secretRef === undefined ? [] : Object.entries(contents('Secret', secretRef.name)),
    ),
    ...(container.env ?? []).map(({ name, value = '' }) => [name, value] as const),
  ];
  const uid = (pod.securityContext as { readonly runAsUser?: number } | undefined)?.runAsUser;
  return {
    ...(container.args === undefined ? {} : { args: container.args }),
    env: Object.fromEntries(env),
    files: Object.fromEntries(files),
    ...(uid === undefined ? {} : { uid }),
  };
}
