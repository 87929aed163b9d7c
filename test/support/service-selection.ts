import type { ServiceName, ServiceState } from './service-state.ts';

/** A service that was started, or found, and how to get rid of it. */
export interface Obtained {
  readonly url: string;
  readonly dispose: () => Promise<void>;
}

/** The ways to a service, in the order in which they are tried. */
export interface ServiceSources {
  /** The variable of the environment that names a service which is already there. */
  readonly variable: string;
  /** Resolves when the service at this address answers. */
  readonly probe: (url: string) => Promise<void>;
  readonly docker: () => Promise<Obtained>;
  readonly native: () => Promise<Obtained>;
}

/** What the environment says about services. */
export interface SelectionOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Told one line for each service. */
  readonly tell: (line: string) => void;
}

/** A service's state, and how to end what was started for it. */
export interface Selected {
  readonly state: ServiceState;
  readonly dispose: () => Promise<void>;
}

/**
 * Obtains a service: an address in the environment, else Docker, else a process of our own. `TEST_SERVICES=docker` or
 * `native` leaves only that way, `TEST_WITHOUT=kafka,rabbitmq` leaves services out.
 *
 * @throws when the environment names a service that does not answer: falling back would test something else than was
 *   asked for
 */
export async function selectService(
  name: ServiceName,
  sources: ServiceSources,
  { environment, tell }: SelectionOptions,
): Promise<Selected> {
  if (environment.TEST_WITHOUT?.split(',').includes(name) === true) return missing('left out by TEST_WITHOUT');
  const url = environment[sources.variable];
  if (url !== undefined && url !== '') {
    await sources.probe(url).catch((error: unknown) => {
      throw new Error(`${sources.variable} is set, but what it names does not answer: ${messageOf(error)}`, {
        cause: error,
      });
    });
    tell(`${name}: from ${sources.variable}`);
    return { state: { url, via: 'environment' }, dispose: () => Promise.resolve() };
  }
  const passedOver: string[] = [];
  for (const way of ways(environment.TEST_SERVICES)) {
    const start = performance.now();
    try {
      const { url, dispose } = await sources[way]();
      const seconds = ((performance.now() - start) / 1000).toFixed(1);
      tell([`${name}: ${way} in ${seconds} s`, ...passedOver].join('; '));
      return { state: { url, via: way }, dispose };
    } catch (error) {
      passedOver.push(`no ${way}: ${messageOf(error)}`);
    }
  }
  tell(`${name}: MISSING; ${passedOver.join('; ')}. Set ${sources.variable}, or see docs/testing.md`);
  return missing(passedOver.join('; '));
}

function ways(choice: string | undefined): readonly ('docker' | 'native')[] {
  switch (choice) {
    case undefined:
    case '':
    case 'auto':
      return ['docker', 'native'];
    case 'docker':
    case 'native':
      return [choice];
    default:
      throw new Error(`TEST_SERVICES must be auto, docker or native, not ${choice}`);
  }
}

function missing(reason: string): Selected {
  return { state: { missing: reason }, dispose: () => Promise.resolve() };
}

/** The message of an error with those of its causes, in one line. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error instanceof AggregateError ? error.errors.map(messageOf).join(', ') : error.message;
  const [firstLine = ''] = own.trim().split('\n');
  return error.cause === undefined ? firstLine : `${firstLine} (${messageOf(error.cause)})`;
}
