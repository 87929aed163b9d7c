import {
  AuthenticationError,
  MultipleErrors,
  NetworkError,
  ResponseError,
  TimeoutError,
  UnsupportedCompressionError,
  UserError,
} from '@platformatic/kafka';
import kafkajs from 'kafkajs';
import { describe, expect, test } from 'vitest';
import { brokerError, troubleOf } from '../../src/publish/kafka/errors.ts';
import { answersIn } from '../../src/publish/kafka/platformatic-driver.ts';

const PRODUCE = 0;
const ASKED = new Set(['topic/0', 'topic/1', 'topic/4', 'topic/7']);

/** What platformatic throws for a produce response, as its own parser makes it. */
function produceError(
  partitions: readonly { readonly index: number; readonly errorCode: number; readonly culprits?: readonly number[] }[],
): Error {
  const errors: Record<string, [number, string | null]> = {};
  const partitionResponses = partitions.map(({ index, errorCode, culprits = [] }, at) => {
    culprits.forEach((_, k) => (errors[`/responses/0/partition_responses/${at}/record_errors/${k}`] = [-1, 'bad']));
    if (errorCode !== 0) errors[`/responses/0/partition_responses/${at}`] = [errorCode, null];
    return { index, errorCode, recordErrors: culprits.map((batchIndex) => ({ batchIndex })) };
  });
  const response = { responses: [{ name: 'topic', partitionResponses }], throttleTimeMs: 0 };
  return new MultipleErrors('Producing messages failed.', [new ResponseError(PRODUCE, 11, errors, response)]);
}

const systemError = (code: string): Error => Object.assign(new Error(`connect ${code}`), { code });
const exceeded = (error: Error): Error =>
  new kafkajs.KafkaJSNumberOfRetriesExceeded(error, { retryCount: 1, retryTime: 100 });
const namedError = (name: string): Error => Object.assign(new Error('denied'), { name });
const protocol = (code: number, type: string): Error =>
  new kafkajs.KafkaJSProtocolError(Object.assign(new Error(type), { code, type, retriable: false }));
const connectionError = (code: string): Error => new kafkajs.KafkaJSConnectionError('failed', { broker: 'b:1', code });

describe('what an error means', () => {
  const cases: readonly (readonly [what: string, error: unknown, code: string, repeat: boolean])[] = [
    ['platformatic: connection closed', new NetworkError('Connection closed'), 'broker_unreachable', true],
    [
      'platformatic: several brokers, one lost',
      new MultipleErrors('failed', [
        produceError([{ index: 0, errorCode: 10 }]),
        new NetworkError('Connection closed'),
      ]),
      'broker_unreachable',
      true,
    ],
    ['platformatic: time-out', new MultipleErrors('failed', [new TimeoutError('timed out')]), 'broker_timeout', true],
    [
      'platformatic: wrong password',
      new NetworkError('failed', { cause: new AuthenticationError('SASL authentication failed.') }),
      'broker_authentication',
      false,
    ],
    [
      'platformatic: untrusted certificate',
      new NetworkError('failed', { cause: systemError('SELF_SIGNED_CERT_IN_CHAIN') }),
      'broker_tls',
      false,
    ],
    ['platformatic: too large', produceError([{ index: 0, errorCode: 10 }]), 'message_too_large', false],
    [
      'platformatic: invalid record',
      produceError([{ index: 0, errorCode: 87, culprits: [2] }]),
      'message_invalid',
      false,
    ],
    ['platformatic: not the leader', produceError([{ index: 0, errorCode: 6 }]), 'broker_unavailable', true],
    [
      'platformatic: not the leader of one, too large for another',
      produceError([
        { index: 0, errorCode: 10 },
        { index: 1, errorCode: 6 },
      ]),
      'broker_unavailable',
      true,
    ],
    ['platformatic: too few replicas', produceError([{ index: 0, errorCode: 19 }]), 'broker_unavailable', false],
    ['platformatic: an answer misread', systemError('OUT_OF_BOUNDS'), 'broker_unavailable', true],
    ['platformatic: no WRITE', produceError([{ index: 0, errorCode: 29 }]), 'broker_authorization', false],
    ['platformatic: unknown topic', new UserError('Unknown topic x.'), 'broker_unavailable', false],
    ['platformatic: no such codec', new UnsupportedCompressionError('zstd'), 'broker_setup', false],
    ['either: not to be encoded', new TypeError('not a buffer'), 'message_invalid', false],
    ['either: anything else', new Error('Broker not connected'), 'broker_unavailable', false],
    ['either: no error at all', 'text', 'broker_unavailable', false],
    ['kafkajs: refused', exceeded(connectionError('ECONNREFUSED')), 'broker_unreachable', true],
    ['kafkajs: time-out', exceeded(new kafkajs.KafkaJSRequestTimeoutError('timed out')), 'broker_timeout', true],
    ['kafkajs: too large', protocol(10, 'MESSAGE_TOO_LARGE'), 'message_too_large', false],
    ['kafkajs: no leader', exceeded(protocol(5, 'LEADER_NOT_AVAILABLE')), 'broker_unavailable', false],
    ['kafkajs: wrong password', namedError('KafkaJSSASLAuthenticationError'), 'broker_authentication', false],
    ['kafkajs: wrong host name', connectionError('ERR_TLS_CERT_ALTNAME_INVALID'), 'broker_tls', false],
  ];

  test.each(cases)('%s', (_, error, code, repeat) => {
    const trouble = troubleOf(error, 'publishing to Kafka');
    expect(trouble).toMatchObject({ error: { code }, repeat });
    expect(trouble.error.message).toMatch(/^publishing to Kafka: ./);
  });

  test('a cause that leads back to itself', () => {
    const error: Error = new Error('around');
    error.cause = new AggregateError([error]);
    expect(troubleOf(error, 'trying').error.code).toBe('broker_unavailable');
  });

  test('a code that nobody knows is tried again', () => {
    expect(brokerError(999, 'topic/1')).toMatchObject({ code: 'broker_unavailable', retryable: true });
    expect(brokerError(10, 'topic/1').message).toContain('MESSAGE_TOO_LARGE');
  });
});

describe('what platformatic tells of single partitions', () => {
  test('is read from the response inside the error', () => {
    const error = produceError([
      { index: 0, errorCode: 0 },
      { index: 4, errorCode: 87, culprits: [1, 3] },
    ]);
    expect([...answersIn(error, ASKED)]).toEqual([
      ['topic/0', { code: 0, culprits: [] }],
      ['topic/4', { code: 87, culprits: [1, 3] }],
    ]);
  });

  test('includes the brokers that took all of theirs', () => {
    const error = produceError([{ index: 1, errorCode: 6 }]);
    Object.assign(error, { produced: { offsets: [{ topic: 'topic', partition: 7, offset: 3n }] } });
    expect(answersIn(error, ASKED).get('topic/7')).toEqual({ code: 0, culprits: [] });
  });

  test('is not believed when it names a partition that was not asked for', () => {
    const error = produceError([
      { index: 0, errorCode: 0 },
      { index: 589_824, errorCode: 0 },
    ]);
    expect(answersIn(error, ASKED).size).toBe(0);
  });

  test('is nothing when the response is of another request', () => {
    const response = { throttleTimeMs: 0, errorCode: 14, producerId: -1n, producerEpoch: -1 };
    const error = new ResponseError(22, 5, { '/': [14, null] }, response);
    expect(answersIn(error, ASKED).size).toBe(0);
    expect(troubleOf(error, 'connecting').brokerCode).toBe(14);
  });
});
