import { decodePart, definedOnly, parseHosts, splitLogin, type HostPort } from '../url-parts.ts';

/** What an AMQP URL says; what it leaves out is undefined. */
export interface RabbitmqUrl {
  readonly hosts: readonly HostPort[];
  /** `amqps`. */
  readonly secure: boolean;
  readonly user?: string;
  readonly password?: string;
  readonly vhost?: string;
}

const URL_TEXT = /^(?<scheme>amqps?):\/\/(?:(?<login>[^@/?#]*)@)?(?<hosts>[^@/?#]+)(?:\/(?<vhost>[^/?#]*))?$/;

/**
 * Reads `amqp://user:password@host:5672/vhost`, several hosts included; without a vhost, or with an empty one, it is `/`.
 *
 * @throws RangeError in words that never repeat any part of the URL's login
 */
export function parseRabbitmqUrl(text: string): RabbitmqUrl {
  const groups = URL_TEXT.exec(text)?.groups;
  if (groups === undefined) {
    throw new RangeError(
      'expected the form amqp://user:password@host:5672/vhost (or amqps://), without parameters; in login and vhost, characters such as @ : / ? # % are percent-encoded',
    );
  }
  const secure = groups.scheme === 'amqps';
  const [user, password] = splitLogin(groups.login);
  const vhost = decodePart(groups.vhost ?? '') || undefined;
  return {
    hosts: parseHosts(groups.hosts ?? '', defaultPort(secure)),
    secure,
    ...definedOnly({ user, password, vhost }),
  };
}

/** AMQP's port, by whether TLS is spoken on it. */
export function defaultPort(secure: boolean): number {
  return secure ? 5671 : 5672;
}
