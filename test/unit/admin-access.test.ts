import { describe, expect, it } from 'vitest';
import { accessFacts, refusal } from '../../src/admin/access.ts';
import type { Access } from '../../src/admin/http.ts';

const TOKEN = '0123456789abcdef';

interface Case {
  readonly token?: string;
  readonly host?: string;
  readonly asked?: string;
  readonly given?: string;
  /** Absent: no certificate is asked for. */
  readonly certified?: boolean;
}

function codeOf(access: Access, options: Case): number {
  const { token = null, host = '127.0.0.1', asked = '127.0.0.1:9464', given } = options;
  const headers = { host: asked, ...(given === undefined ? {} : { authorization: given }) };
  const rules = { token: () => token, clientCertificate: options.certified !== undefined, host };
  return refusal(access, { headers, certified: options.certified === true }, rules)?.code ?? 200;
}

describe('access to the admin port', () => {
  it('is free for probes, whatever is configured', () => {
    expect(codeOf('anyone', { token: TOKEN, host: '0.0.0.0' })).toBe(200);
  });

  it.each(['reader', 'insider', 'operator'] as const)('of a %s is by the token where there is one', (access) => {
    expect(codeOf(access, { token: TOKEN })).toBe(401);
    expect(codeOf(access, { token: TOKEN, given: `Bearer ${TOKEN}` })).toBe(200);
    expect(codeOf(access, { token: TOKEN, given: `bearer  ${TOKEN} `, host: '0.0.0.0', asked: 'relay.example' })).toBe(
      200,
    );
    for (const given of ['', TOKEN, `Basic ${TOKEN}`, `Bearer ${TOKEN}0`, `Bearer ${TOKEN.slice(1)}`, 'Bearer ']) {
      expect([given, codeOf(access, { token: TOKEN, given })]).toEqual([given, 401]);
    }
  });

  it('without a token is open to readers, and to nobody who would change something', () => {
    expect(codeOf('reader', { host: '0.0.0.0', asked: 'relay.example' })).toBe(200);
    expect(codeOf('operator', {})).toBe(403);
    expect(codeOf('operator', { given: `Bearer ${TOKEN}` })).toBe(403);
  });

  it.each(['reader', 'insider', 'operator'] as const)('of a %s is by every proof that is asked for', (access) => {
    const elsewhere = { host: '0.0.0.0', asked: 'relay.example' };
    const given = `Bearer ${TOKEN}`;
    expect(codeOf(access, { ...elsewhere, certified: false })).toBe(403);
    expect(codeOf(access, { ...elsewhere, certified: true })).toBe(200);
    expect(codeOf(access, { ...elsewhere, certified: false, token: TOKEN, given })).toBe(403);
    expect(codeOf(access, { ...elsewhere, certified: true, token: TOKEN })).toBe(401);
    expect(codeOf(access, { ...elsewhere, certified: true, token: TOKEN, given })).toBe(200);
    expect(codeOf('anyone', { ...elsewhere, certified: false, token: TOKEN })).toBe(200);
  });

  it('without a token, on a loopback address, is not for readers that a web site sends', () => {
    expect(codeOf('reader', { host: '127.0.0.1', asked: 'localhost:9464' })).toBe(200);
    expect(codeOf('reader', { host: '127.0.0.1', asked: 'evil.example:9464' })).toBe(403);
    expect(codeOf('reader', { host: '127.0.0.1', asked: 'evil.example', token: TOKEN, given: `Bearer ${TOKEN}` })).toBe(
      200,
    );
  });

  it('without a token is open to insiders on a loopback address alone, asked by a name of this host', () => {
    for (const [host, asked, code] of [
      ['127.0.0.1', '127.0.0.1:9464', 200],
      ['127.0.0.1', 'localhost:9464', 200],
      ['::1', '[::1]:9464', 200],
      ['localhost', 'localhost', 200],
      // the name of a web site that was made to resolve to this host
      ['127.0.0.1', 'evil.example:9464', 403],
      ['127.0.0.1', '127.0.0.1.evil.example', 403],
      ['0.0.0.0', '127.0.0.1:9464', 403],
      ['::', '[::1]:9464', 403],
      ['10.0.0.7', '127.0.0.1', 403],
    ] as const) {
      expect([host, asked, codeOf('insider', { host, asked })]).toEqual([host, asked, code]);
    }
  });

  it('is told beforehand, to each as it is', () => {
    const facts = (token: string | null, host: string, authorization = '', clientCertificate = false) =>
      accessFacts(
        { headers: { host: 'localhost', authorization }, certified: true },
        { token: () => token, clientCertificate, host },
      );
    const all = { reader: true, insider: true, operator: true };
    const none = { reader: false, insider: false, operator: false };
    expect(facts(null, '127.0.0.1')).toEqual({ token: false, reader: true, insider: true, operator: false });
    expect(facts(null, '0.0.0.0')).toEqual({ token: false, reader: true, insider: false, operator: false });
    expect(facts(null, '0.0.0.0', '', true)).toEqual({ token: false, ...all });
    expect(facts(TOKEN, '127.0.0.1')).toEqual({ token: true, ...none });
    expect(facts(TOKEN, '0.0.0.0', `Bearer ${TOKEN}`)).toEqual({ token: true, ...all });
  });
});
