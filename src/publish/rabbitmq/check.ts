import type { RelayError } from '../../core/errors.ts';
import type { Finding } from '../../core/finding.ts';
import type { Address, ExchangeAddress } from '../../core/message.ts';
import { connect, type Connection } from './connection.ts';
import { rabbitmqError } from './errors.ts';
import { usualManagementUrl } from './management.ts';
import type { RabbitmqOptions } from './options.ts';
import { exchangeAddresses, findAddress, unsafeQueues } from './setup.ts';

/**
 * Examines a broker for `outbox-relay check`: reachable, logged in, exchanges there, and no queue behind them that
 * discards what it has confirmed. Declares nothing.
 */
export async function checkRabbitmq(
  options: RabbitmqOptions,
  addresses: readonly Address[],
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  let connection: Connection;
  try {
    connection = await connect(options, signal);
  } catch (error) {
    return [failure('rabbitmq.connection', error)];
  }
  const abort = () => connection.destroy('the check was given up');
  signal.addEventListener('abort', abort, { once: true });
  try {
    const findings: Finding[] = [
      { status: 'ok', subject: 'rabbitmq.connection', message: `${connection.server} at ${connection.where}` },
    ];
    for (const address of exchangeAddresses(addresses)) {
      findings.push(await examineAddress(connection, options, address));
    }
    return [...findings, ...(await examineQueues(options, addresses))];
  } finally {
    signal.removeEventListener('abort', abort);
    await connection.close(CLOSE_DEADLINE);
  }
}

/** In milliseconds. */
const CLOSE_DEADLINE = 2000;

async function examineAddress(
  connection: Connection,
  options: RabbitmqOptions,
  address: ExchangeAddress,
): Promise<Finding> {
  const { exchange, routingKey } = address;
  const subject = exchange === '' ? `rabbitmq.queue.${routingKey}` : `rabbitmq.exchange.${exchange}`;
  try {
    await findAddress(connection, address);
    return { status: 'ok', subject, message: 'it is there' };
  } catch (error) {
    const declared =
      exchange === ''
        ? options.queues.some(({ name, declare }) => declare && name === routingKey)
        : options.declareExchanges.some(({ name }) => name === exchange);
    const { code, message } = rabbitmqError(error, 'examine', 'asking RabbitMQ');
    if (code !== 'broker_setup') return failure(subject, error);
    if (declared) return { status: 'ok', subject, message: 'it is not there yet; the relay declares it' };
    return { status: 'error', subject, message, remedy: declaration(exchange, routingKey) };
  }
}

function declaration(exchange: string, queue: string): string {
  return exchange === ''
    ? `rabbitmqadmin declare queue name='${queue}' durable=true arguments='{"x-queue-type":"quorum"}', or name it in queues with declare: true`
    : `rabbitmqadmin declare exchange name='${exchange}' type=topic durable=true, or name it in declareExchanges`;
}

async function examineQueues(options: RabbitmqOptions, addresses: readonly Address[]): Promise<Finding[]> {
  const subject = 'rabbitmq.queues';
  try {
    const unsafe = await unsafeQueues(options, options.managementUrl ?? usualManagementUrl(options), addresses);
    if (unsafe.length > 0) return unsafe.map((error) => failure(subject, error));
    return [{ status: 'ok', subject, message: 'no queue behind the exchanges discards what it has confirmed' }];
  } catch (error) {
    const { message } = rabbitmqError(error, 'examine', 'asking the management API');
    return [
      {
        status: 'warning',
        subject,
        message: `whether a queue discards what it has confirmed (a length limit with drop-head) could not be examined: ${message}`,
        remedy: 'Set managementUrl, for a user with the tag `management`.',
      },
    ];
  }
}

function failure(subject: string, thrown: unknown): Finding {
  const error: RelayError = rabbitmqError(thrown, 'examine', 'asking RabbitMQ');
  return { status: 'error', subject, message: error.message, remedy: error.remedy };
}
