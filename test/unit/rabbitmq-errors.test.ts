import { describe, expect, it } from 'vitest';
import { RelayError } from '../../src/core/errors.ts';
import { channelFault, rabbitmqError, rowFault, sizeLimit } from '../../src/publish/rabbitmq/errors.ts';

const reply = (code: number | string, text = 'reply') => Object.assign(new Error(text), { code });
const OVERSIZE = reply(
  406,
  'Channel closed by server: 406 (PRECONDITION-FAILED) with message "PRECONDITION_FAILED - message size 1000001 is larger than configured max size 1000000"',
);

describe('errors of RabbitMQ', () => {
  it.each([
    ['broker_unreachable', reply('ECONNREFUSED')],
    ['broker_unreachable', reply('ENOTFOUND')],
    ['broker_timeout', new Error('connect ETIMEDOUT')],
    ['broker_authentication', new Error('Handshake terminated by server: 403 (ACCESS-REFUSED)')],
    ['broker_authentication', new Error('Expected ConnectionOpenOk; got <ConnectionClose channel:0>')],
    ['broker_tls', reply('SELF_SIGNED_CERT_IN_CHAIN')],
    ['broker_tls', reply('ERR_TLS_CERT_ALTNAME_INVALID')],
    ['broker_tls', reply('ERR_SSL_WRONG_VERSION_NUMBER')],
    ['broker_client_certificate', reply('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED')],
    ['broker_unreachable', new Error('Socket closed abruptly during opening handshake')],
  ] as const)('are %s while connecting: %s', (code, error) => {
    expect(rabbitmqError(error, 'connect', 'connecting').code).toBe(code);
  });

  it.each([
    ['broker_setup', 404],
    ['broker_authorization', 403],
    ['broker_unreachable', 320],
    ['broker_unavailable', 541],
    ['broker_unavailable', 501],
  ] as const)('are %s for the reply %d while publishing', (code, replyCode) => {
    expect(rabbitmqError(reply(replyCode), 'publish', 'publishing').code).toBe(code);
  });

  it('keep a code that was given already', () => {
    const error = new RelayError('broker_timeout', 'too late');
    expect(rabbitmqError(error, 'publish', 'publishing')).toBe(error);
  });

  it('are the fault of a row, of its exchange, or of the session', () => {
    expect([406, 311, 404, 403, 506].map((code) => channelFault(reply(code)))).toEqual([
      'row',
      'row',
      'exchange',
      'session',
      'session',
    ]);
  });

  it('tell the limit of the broker from what else its reply code stands for', () => {
    expect(sizeLimit(OVERSIZE)).toBe(1_000_000);
    expect(rowFault(OVERSIZE, 'refused').code).toBe('message_too_large');
    expect(sizeLimit(reply(406, 'PRECONDITION_FAILED - invalid expiration'))).toBeNull();
    expect(rowFault(reply(406), 'refused').code).toBe('message_invalid');
  });
});
