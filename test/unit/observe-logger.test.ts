import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { RelayError } from '../../src/core/errors.ts';
import { createLogger, type LoggerOptions } from '../../src/observe/logger.ts';
import { redactText } from '../../src/observe/redact.ts';
import type { Log } from '../../src/core/log.ts';

/** What a log wrote. */
function logged(options: LoggerOptions, write: (log: Log) => void): string {
  const stream = new PassThrough();
  write(createLogger({ ...options, stream }));
  return (stream.read() as Buffer | null)?.toString() ?? '';
}

function fieldsOf(write: (log: Log) => void): Record<string, unknown> {
  return JSON.parse(logged({ format: 'json' }, write)) as Record<string, unknown>;
}

describe('the log', () => {
  it('is one JSON object a line, with time, level and fields', () => {
    const fields = fieldsOf((log) => log.info({ rows: 3, position: 9007199254740993n }, 'hello'));
    expect(fields).toMatchObject({ level: 'info', msg: 'hello', rows: 3, position: '9007199254740993' });
    expect(new Date(String(fields.time)).toISOString()).toBe(fields.time);
  });

  it('leaves out what is below its level', () => {
    const write = (log: Log): void => {
      log.debug({}, 'd');
      log.info({}, 'i');
      log.warn({}, 'w');
      log.error({}, 'e');
    };
    const messages = (level: 'debug' | 'warn' | 'silent') =>
      logged({ format: 'json', level }, write)
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => (JSON.parse(line) as { msg: string }).msg);
    expect(messages('debug')).toEqual(['d', 'i', 'w', 'e']);
    expect(messages('warn')).toEqual(['w', 'e']);
    expect(messages('silent')).toEqual([]);
  });

  it('gives the fields of a child to all its lines', () => {
    expect(fieldsOf((log) => log.child({ destination: 'kafka' }).warn({ rows: 1 }, 'm'))).toMatchObject({
      destination: 'kafka',
      rows: 1,
      level: 'warn',
    });
  });

  it('is JSON where nobody watches, and made for the eye when asked', () => {
    const write = (log: Log): void => log.info({ rows: 3 }, 'hello');
    expect(logged({ format: 'auto' }, write)).toMatch(/^\{.*\}\n$/);
    const pretty = logged({ format: 'pretty' }, write);
    expect(pretty).toMatch(/INFO.*hello/);
    expect(pretty).not.toContain('{');
  });

  it('tells errors by code, message with causes, and remedy', () => {
    const cause = new Error('ECONNREFUSED');
    const error = new RelayError('broker_unreachable', 'no connection', { cause });
    expect(fieldsOf((log) => log.error({ error }, 'm')).error).toEqual({
      code: 'broker_unreachable',
      message: 'no connection: ECONNREFUSED',
      remedy: error.remedy,
    });
    expect(fieldsOf((log) => log.error({ error: cause }, 'm')).error).toMatchObject({
      message: 'ECONNREFUSED',
      stack: expect.stringContaining('observe-logger.test.ts') as string,
    });
  });

  it('never shows bytes or secrets, wherever they stand', () => {
    const secret = 'hunter2';
    const cause = new Error(`cannot connect to amqp://guest:${secret}@host/`);
    const line = logged({ format: 'json' }, (log) =>
      log.child({ apiToken: secret }).error(
        {
          password: secret,
          options: [{ sasl: { username: 'u', Password: secret } }],
          text: `host=h password=${secret} user=u`,
          error: new RelayError('broker_unreachable', 'no connection', { cause }),
          body: Buffer.from(secret),
        },
        `postgres://relay:${secret}@db:5432/app is down`,
      ),
    );
    expect(line).not.toContain(secret);
    expect(line).toContain('postgres://relay:***@db:5432/app is down');
    expect(line).toContain('"body":"(7 bytes)"');
    expect(line).toContain('"username":"u"');
  });
});

describe('redactText', () => {
  it.each([
    ['postgres://u:p@h/d', 'postgres://u:***@h/d'],
    ['a://u:p@h and b://v:q:r@i', 'a://u:***@h and b://v:***@i'],
    ['amqps://u:p%40:@h', 'amqps://u:***@h'],
    ['amqp://u:p@ss@h', 'amqp://u:***@h'],
    ["password='a b' x", 'password=*** x'],
    ['http://h:80/a@b', 'http://h:80/a@b'],
    ['http://h/a:b', 'http://h/a:b'],
    ['nothing to hide', 'nothing to hide'],
  ])('makes %j %j', (text, redacted) => {
    expect(redactText(text)).toBe(redacted);
  });
});
