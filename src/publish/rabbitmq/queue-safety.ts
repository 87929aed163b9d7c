import type { ExchangeAddress } from '../../core/message.ts';

/** What decides whether a queue keeps what it has confirmed. */
export interface QueueSetup {
  readonly name: string;
  /** `classic`, `quorum` or `stream`. */
  readonly type: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  /** The policy in effect, operator policies included, as the management API gives it. */
  readonly policy: Readonly<Record<string, unknown>>;
}

/** Why a queue must not be published to, and what mends it. */
export interface QueueHazard {
  readonly message: string;
  readonly remedy: string;
}

/**
 * Whether a queue drops messages that it has confirmed: a length limit with `drop-head` (the default overflow), or, on
 * a classic queue, an overflow that comes by the same policy as the limit, where the limit is applied first.
 * Streams are not examined: discarding old messages is what they are for.
 */
export function discardsConfirmed(queue: QueueSetup): QueueHazard | null {
  if (queue.type === 'stream') return null;
  const limitedByPolicy = LIMITS.some((limit) => queue.policy[limit] !== undefined);
  const limited = limitedByPolicy || LIMITS.some((limit) => queue.arguments[`x-${limit}`] !== undefined);
  if (!limited) return null;
  const overflow = queue.arguments['x-overflow'] ?? queue.policy.overflow ?? 'drop-head';
  if (overflow === 'drop-head') {
    return {
      message: `queue ${queue.name} has a length limit with overflow drop-head: it discards messages that it has confirmed`,
      remedy: 'Declare the queue with the argument x-overflow: reject-publish, or take the limit away.',
    };
  }
  if (queue.type === 'classic' && limitedByPolicy && queue.arguments['x-overflow'] === undefined) {
    return {
      message: `classic queue ${queue.name} has limit and overflow by policy: when the policy is applied to a longer queue, it discards messages that it has confirmed`,
      remedy:
        'Declare the queue with the argument x-overflow: reject-publish and keep only the limit in the policy, or use a quorum queue.',
    };
  }
  return null;
}

/** A binding, as the management API gives it. */
export interface Binding {
  readonly source: string;
  readonly destination: string;
  readonly destinationType: string;
}

/**
 * The queues that messages to these addresses may come to. Routing keys are not looked at, the default exchange's
 * apart: which ones rows will have is not known beforehand.
 */
export function reachableQueues(addresses: readonly ExchangeAddress[], bindings: readonly Binding[]): Set<string> {
  const queues = new Set(addresses.filter(({ exchange }) => exchange === '').map(({ routingKey }) => routingKey));
  const exchanges = new Set(addresses.map(({ exchange }) => exchange).filter((exchange) => exchange !== ''));
  // A set that grows while it is walked through is walked through to its end.
  for (const exchange of exchanges) {
    for (const { source, destination, destinationType } of bindings) {
      if (source === exchange) (destinationType === 'queue' ? queues : exchanges).add(destination);
    }
  }
  return queues;
}

const LIMITS = ['max-length', 'max-length-bytes'] as const;
