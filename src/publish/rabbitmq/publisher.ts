import type { Address } from '../../core/message.ts';
import type { Publisher } from '../../core/publisher.ts';
import { checkRabbitmq } from './check.ts';
import { connect } from './connection.ts';
import { givenUp } from './errors.ts';
import type { RabbitmqOptions } from './options.ts';
import { RabbitmqSession } from './session.ts';
import { prepareBroker } from './setup.ts';

/**
 * Publishes to a RabbitMQ broker. The client library is loaded with the first session.
 *
 * @param addresses where routes lead, as far as it is known beforehand: each session makes sure at its start that they
 *   are there, and, where the management API is configured, that no queue behind them discards confirmed messages.
 *   An exchange that is missing and not among them is the fault of the rows that name it
 */
export function createRabbitmqPublisher(options: RabbitmqOptions, addresses: readonly Address[] = []): Publisher {
  return {
    async open(listener, signal) {
      const connection = await connect(options, signal);
      const abort = () => connection.destroy('opening was given up');
      signal.addEventListener('abort', abort, { once: true });
      try {
        await prepareBroker(connection, options, addresses);
        if (signal.aborted) throw givenUp();
        return await RabbitmqSession.open(options, connection, listener, addresses);
      } catch (error) {
        connection.destroy('opening failed');
        throw signal.aborted ? givenUp() : error;
      } finally {
        signal.removeEventListener('abort', abort);
      }
    },
    check: (known, signal) => checkRabbitmq(options, known, signal),
  };
}
