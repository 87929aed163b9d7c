import { RelayError } from '../../core/errors.ts';
import type { Address, ExchangeAddress } from '../../core/message.ts';
import type { Connection } from './connection.ts';
import { readQueues } from './management.ts';
import type { QueueDeclaration, RabbitmqOptions } from './options.ts';
import { discardsConfirmed, reachableQueues } from './queue-safety.ts';

/**
 * Declares what is to be declared, looks for what must be there, and refuses queues that discard confirmed messages,
 * as far as they can be examined.
 *
 * @param addresses where messages will go, as far as it is known beforehand
 * @throws RelayError
 */
export async function prepareBroker(
  connection: Connection,
  options: RabbitmqOptions,
  addresses: readonly Address[],
): Promise<void> {
  for (const exchange of options.declareExchanges) {
    const { name, type, durable } = exchange;
    await connection.onOwnChannel(`declaring exchange '${name}'`, (channel) =>
      channel.assertExchange(name, type, { durable, arguments: exchange.arguments }),
    );
  }
  for (const queue of options.queues) {
    refuseIfUnsafe(queue);
    await (queue.declare ? declareQueue(connection, queue) : findQueue(connection, queue.name));
  }
  for (const address of exchangeAddresses(addresses)) await findAddress(connection, address);
  if (options.managementUrl !== null) await refuseUnsafeQueues(options, options.managementUrl, addresses);
}

/** The RabbitMQ addresses, one for each exchange, and one for each queue behind the default exchange. */
export function exchangeAddresses(addresses: readonly Address[]): ExchangeAddress[] {
  const distinct = new Map<string, ExchangeAddress>();
  for (const address of addresses) {
    if (address.kind !== 'exchange') continue;
    distinct.set(address.exchange === '' ? `queue ${address.routingKey}` : `exchange ${address.exchange}`, address);
  }
  return [...distinct.values()];
}

/** Makes sure that the exchange is there; for the default exchange, the queue. @throws RelayError `broker_setup` */
export async function findAddress(connection: Connection, { exchange, routingKey }: ExchangeAddress): Promise<void> {
  if (exchange === '') return findQueue(connection, routingKey);
  await connection.onOwnChannel(`looking for exchange '${exchange}'`, (channel) => channel.checkExchange(exchange));
}

/** The queues that discard what they have confirmed, with what to do about it. @throws RelayError when it is not to be found out */
export async function unsafeQueues(
  options: RabbitmqOptions,
  managementUrl: string,
  addresses: readonly Address[],
): Promise<readonly RelayError[]> {
  const { queues, bindings } = await readQueues(options, managementUrl);
  const named = options.queues.map(({ name }) => name);
  const reachable = reachableQueues(exchangeAddresses(addresses), bindings);
  return queues
    .filter(({ name }) => reachable.has(name) || named.includes(name))
    .flatMap((queue) => discardsConfirmed(queue) ?? [])
    .map(({ message, remedy }) => new RelayError('broker_setup', message, { remedy }));
}

async function refuseUnsafeQueues(
  options: RabbitmqOptions,
  managementUrl: string,
  addresses: readonly Address[],
): Promise<void> {
  let unsafe: readonly RelayError[];
  try {
    unsafe = await unsafeQueues(options, managementUrl, addresses);
  } catch {
    // The management API may be down while the broker is up; `check` says so, publishing need not wait for it.
    return;
  }
  const [first] = unsafe;
  if (first !== undefined) throw first;
}

function refuseIfUnsafe(queue: QueueDeclaration): void {
  const type = String(queue.arguments['x-queue-type'] ?? 'classic');
  const hazard = discardsConfirmed({ name: queue.name, type, arguments: queue.arguments, policy: {} });
  if (hazard !== null) throw new RelayError('broker_setup', hazard.message, { remedy: hazard.remedy });
}

async function declareQueue(connection: Connection, queue: QueueDeclaration): Promise<void> {
  await connection.onOwnChannel(`declaring queue '${queue.name}'`, async (channel) => {
    await channel.assertQueue(queue.name, { durable: queue.durable, arguments: queue.arguments });
    for (const { exchange, routingKey } of queue.bindings) await channel.bindQueue(queue.name, exchange, routingKey);
  });
}

async function findQueue(connection: Connection, name: string): Promise<void> {
  await connection.onOwnChannel(`looking for queue '${name}'`, (channel) => channel.checkQueue(name));
}
