import { describe, expect, test } from 'vitest';
import { RelayError } from '../../src/core/errors.ts';
import { sqlState } from '../../src/core/postgres-failure.ts';
import { postgresError } from '../../src/postgres/error.ts';

const coded = (code: string, message = 'what happened'): Error => Object.assign(new Error(message), { code });

describe('classification of Postgres errors', () => {
  test.each([
    ['28P01', 'postgres_authentication'],
    ['28000', 'postgres_authentication'],
    ['42501', 'postgres_permission'],
    ['42P01', 'postgres_schema'],
    ['42703', 'postgres_schema'],
    ['3F000', 'postgres_schema'],
    ['57P01', 'postgres_unreachable'],
    ['57P03', 'postgres_unreachable'],
    ['08006', 'postgres_unreachable'],
    ['08P01', 'postgres_unreachable'],
    ['25006', 'postgres_not_primary'],
    ['55P03', 'postgres_query_failed'],
    ['53300', 'postgres_query_failed'],
    ['40001', 'postgres_query_failed'],
    ['XX000', 'postgres_query_failed'],
    ['ECONNREFUSED', 'postgres_unreachable'],
    ['EPIPE', 'postgres_unreachable'],
    ['ENOTFOUND', 'postgres_unreachable'],
    ['EAI_AGAIN', 'postgres_unreachable'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'postgres_tls'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'postgres_tls'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'postgres_tls'],
    ['CERT_HAS_EXPIRED', 'postgres_tls'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'postgres_tls'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'postgres_tls'],
  ])('%s is %s', (code, expected) => {
    expect(postgresError(coded(code), 'doing it')).toMatchObject({ code: expected });
  });

  test.each([
    ['Connection terminated unexpectedly', 'postgres_unreachable'],
    ['Client has encountered a connection error and is not queryable', 'postgres_unreachable'],
    ['The server does not support SSL connections', 'postgres_tls'],
    ['SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string', 'postgres_authentication'],
    ['something new', 'postgres_query_failed'],
  ])("the driver's '%s' is %s", (message, expected) => {
    expect(postgresError(new Error(message), 'doing it')).toMatchObject({ code: expected });
  });

  test('the message tells what was done, what happened, and the SQLSTATE', () => {
    const error = postgresError(coded('55P03', 'canceling statement due to lock timeout'), 'deleting');
    expect(error.message).toBe('deleting: canceling statement due to lock timeout (SQLSTATE 55P03)');
    expect(error.retryable).toBe(true);
  });

  test('a connect to several addresses tells the first of its errors', () => {
    const error = new AggregateError([coded('ECONNREFUSED', 'connect ECONNREFUSED ::1:5432')], '');
    expect(postgresError(error, 'connecting')).toMatchObject({
      code: 'postgres_unreachable',
      message: 'connecting: connect ECONNREFUSED ::1:5432',
    });
  });

  test('a RelayError passes through, and a SQLSTATE is found in its causes', () => {
    const inner = coded('55P03');
    const error = new RelayError('postgres_query_failed', 'x', { cause: inner });
    expect(postgresError(error, 'again')).toBe(error);
    expect(sqlState(error)).toBe('55P03');
    expect(sqlState(coded('EPIPE'))).toBeNull();
    expect(sqlState('text')).toBeNull();
  });
});
