import { CloudEvent } from 'cloudevents';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isUri, isUriReference } from '../../src/core/uri.ts';

describe('a URI-reference', () => {
  it.each([
    'https://github.com/cloudevents',
    'mailto:cncf-wg-serverless@lists.cncf.io',
    'urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66',
    '/cloudevents/spec/pull/123',
    '/sensors/tn-1234567/alerts',
    '1-555-123-4567',
    'ldap://[2001:db8::7]/c=GB?objectClass?one',
    'tel:+1-816-555-1212',
    '//user@host:80/path?x#y',
    '../a/b?c#d',
    '#',
    'a%20b',
  ])('is %s', (text) => expect(isUriReference(text)).toBe(true));

  it.each(['two words', '1:2', 'a%2', 'a#b#c', 'http://[x', 'http://a b', 'é', 'a"b', 'http://h:port/', '\n'])(
    'is not %j',
    (text) => expect(isUriReference(text)).toBe(false),
  );

  it('is what the SDK takes for one too', () => {
    const characters = Array.from('aZ09-._~:/?#[]@!$&\'()*+,;=%2F "<>\\^`{|}é');
    const text = fc
      .array(fc.constantFrom(...characters), { minLength: 1, maxLength: 12 })
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(text, fc.constantFrom('', 'http://', 'urn:', '/'), (tail, head) => {
        const source = head + tail;
        fc.pre(isUriReference(source));
        expect(new CloudEvent({ source, type: 'x' }, true).source).toBe(source);
      }),
      { numRuns: 300 },
    );
  });
});

it('a URI is a URI-reference with a scheme', () => {
  for (const text of ['https://a/b', 'urn:x', 'mailto:a@b'])
    expect([isUri(text), isUriReference(text)]).toEqual([true, true]);
  for (const text of ['/a', '//a/b', 'a/b:c', '']) expect([isUri(text), isUriReference(text)]).toEqual([false, true]);
});
