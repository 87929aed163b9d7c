/** One instruction: `COPY`, and all that stands behind it. */
export interface Instruction {
  readonly name: string;
  readonly text: string;
}

/** What lies between one FROM and the next. */
export interface Stage {
  /** The name behind AS, or the number of the stage. */
  readonly name: string;
  /** The image it begins with, as it is written. */
  readonly base: string;
  readonly instructions: readonly Instruction[];
}

/** The stages of a Dockerfile. Only the syntax that ours has: no heredocs, no ONBUILD, no escapes but of line ends. */
export function parseDockerfile(text: string): readonly Stage[] {
  const lines = text
    .split('\n')
    .filter((line) => !/^\s*(#|$)/.test(line))
    .join('\n')
    .replace(/\\\n\s*/g, ' ')
    .split('\n');
  const stages: { name: string; base: string; instructions: Instruction[] }[] = [];
  for (const line of lines) {
    const [, name = '', rest = ''] = /^(\S+)\s+(.*)$/.exec(line) ?? [];
    if (name === 'FROM') {
      const [, base = '', alias] = /^(?:--platform=\S+\s+)?(\S+)(?:\s+AS\s+(\S+))?$/.exec(rest) ?? [];
      stages.push({ name: alias ?? String(stages.length), base, instructions: [] });
    } else stages.at(-1)?.instructions.push({ name, text: rest });
  }
  return stages;
}

/** What the last stage says of how a container is run. */
export interface ImageConfig {
  readonly env: Readonly<Record<string, string>>;
  readonly workdir: string;
  readonly user: { readonly uid: number; readonly gid: number };
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly healthcheck: readonly string[];
}

/** @throws when it does not say all of it in the form that ours has */
export function imageConfig(stage: Stage): ImageConfig {
  const last = (name: string): string => {
    const found = stage.instructions.filter((instruction) => instruction.name === name).at(-1);
    if (found === undefined) throw new Error(`the last stage has no ${name}`);
    return found.text;
  };
  const [, uid, gid] = /^(\d+):(\d+)$/.exec(last('USER')) ?? [];
  if (uid === undefined || gid === undefined) throw new Error('USER is not UID:GID');
  return {
    env: assignments(last('ENV')),
    workdir: last('WORKDIR'),
    user: { uid: Number(uid), gid: Number(gid) },
    entrypoint: JSON.parse(last('ENTRYPOINT')) as string[],
    command: JSON.parse(last('CMD')) as string[],
    healthcheck: JSON.parse(last('HEALTHCHECK').replace(/^.*?CMD /, '')) as string[],
  };
}

/** `A=1 B="two words"`. */
function assignments(text: string): Record<string, string> {
  const found = [...text.matchAll(/(\w+)=(?:"([^"]*)"|(\S+))/g)];
  return Object.fromEntries(found.map(([, name = '', quoted, plain]) => [name, quoted ?? plain ?? '']));
}
