import { describeError, RelayError } from '../../core/errors.ts';
import type { ErrorCode } from '../../core/error-catalogue.ts';
import { brokerTlsError } from '../tls.ts';

/** What was being done when it failed: the same code means different things on a connection and at a publish. */
export type Doing = 'connect' | 'publish' | 'examine';

/**
 * Classifies what amqplib, the socket or TLS reported. Reply codes of AMQP and errno codes decide; amqplib gives no
 * code for what happens in the handshake, so only there the text is looked at.
 *
 * @param what what was being done, for the message, e.g. `connecting to 127.0.0.1:5672`
 */
export function rabbitmqError(error: unknown, doing: Doing, what: string): RelayError {
  if (error instanceof RelayError) return error;
  const message = `${what}: ${describeError(error)}`;
  const insecure = brokerTlsError(codeOf(error), message, error);
  if (insecure !== null) return insecure;
  const code = doing === 'connect' ? codeOfConnect(error) : codeOfReply(error, doing);
  return new RelayError(code, message, { cause: error });
}

/** The relay no longer wants the connection that is being made. */
export function givenUp(): RelayError {
  return new RelayError('broker_unreachable', 'connecting to RabbitMQ was given up');
}

/** What a channel closed by the broker means for the rows on it. */
export type ChannelFault = 'row' | 'exchange' | 'session';

/**
 * 406 and 311 are one message's fault, which has to be found; 404 is one message's exchange, which is missing; all else
 * concerns the session.
 */
export function channelFault(error: unknown): ChannelFault {
  const code = replyCode(error);
  if (code === 404) return 'exchange';
  return code === 406 || code === 311 ? 'row' : 'session';
}

/** What is wrong with the row that closed its channel. */
export function rowFault(error: unknown, what: string): RelayError {
  const tooLarge = replyCode(error) === 311 || sizeLimit(error) !== null;
  return new RelayError(tooLarge ? 'message_too_large' : 'message_invalid', `${what}: ${describeError(error)}`, {
    cause: error,
  });
}

/** The broker's `max_message_size`, where the error is about it: the reply code alone, 406, stands for much else too. */
export function sizeLimit(error: unknown): number | null {
  if (replyCode(error) !== 406) return null;
  const match = /larger than (?:configured )?max size (\d+)/.exec(describeError(error));
  return match === null ? null : Number(match[1]);
}

function replyCode(error: unknown): number | null {
  const code = codeOf(error);
  return typeof code === 'number' ? code : null;
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

function codeOfReply(error: unknown, doing: Doing): ErrorCode {
  const code = codeOf(error);
  switch (code) {
    case 403:
      return 'broker_authorization';
    case 404:
      return 'broker_setup';
    case 405:
    case 406:
      return doing === 'examine' ? 'broker_setup' : 'broker_unavailable';
    case 530:
      return 'broker_authorization';
    case 501:
    case 502:
    case 503:
    case 504:
    case 505:
    case 506:
    case 541:
      return 'broker_unavailable';
    default:
      return 'broker_unreachable';
  }
}

function codeOfConnect(error: unknown): ErrorCode {
  const code = codeOf(error);
  if (code !== undefined) return 'broker_unreachable';
  const text = describeError(error);
  if (text.includes('ETIMEDOUT')) return 'broker_timeout';
  if (/SASL mechanism|Handshake terminated by server: 403|Expected ConnectionOpenOk; got <ConnectionClose/.test(text)) {
    return 'broker_authentication';
  }
  if (text.includes('No channels left')) return 'broker_setup';
  return 'broker_unreachable';
}
