import { describeError, RelayError } from '../core/errors.ts';
import type { Config, DestinationConfig } from './schema/config.ts';

/**
 * Gives every section with credentials the means to look them up again: the configuration as it was given, with the files
 * that it names as they are by then. What is no credential stays as it was at the start.
 *
 * @param read evaluates the configuration anew
 */
export function withRenewal(config: Config, read: () => Config): Config {
  const latest = () => readAnew(read);
  const destinations = Object.entries(config.destinations).map(([name, destination]) => [
    name,
    renewable(destination, () => latest().destinations[name]),
  ]);
  return {
    ...config,
    postgres: {
      ...config.postgres,
      renewed: () => {
        const { user, password, tls } = latest().postgres;
        return { user, password, tls };
      },
    },
    destinations: Object.fromEntries(destinations) as Config['destinations'],
    admin: {
      ...config.admin,
      renewed: () => {
        const { token, tls } = latest().admin;
        return { token, tls };
      },
    },
  };
}

function renewable(destination: DestinationConfig, read: () => DestinationConfig | undefined): DestinationConfig {
  switch (destination.type) {
    case 'kafka':
      return {
        ...destination,
        renewed: () => {
          const latest = read();
          const { tls, sasl } = latest?.type === 'kafka' ? latest : destination;
          return { tls, sasl };
        },
      };
    case 'rabbitmq':
      return {
        ...destination,
        renewed: () => {
          const latest = read();
          const { user, password, tls } = latest?.type === 'rabbitmq' ? latest : destination;
          return { user, password, tls };
        },
      };
    case 'console':
      return destination;
  }
}

function readAnew(read: () => Config): Config {
  try {
    return read();
  } catch (cause) {
    const problems = describeError(cause).split('\n').slice(1);
    throw new RelayError(
      'credentials_unusable',
      `credentials cannot be read anew: ${problems.map((line) => line.trim()).join(' ')}`,
      { cause },
    );
  }
}
