import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { oauthInitialResponse, refusedToken } from '../../src/publish/kafka/oauth-exchange.ts';
import { bearerTokens } from '../../src/publish/kafka/oauth-tokens.ts';
import { KAFKA_DEFAULTS, type KafkaOptions, type OAuthClient } from '../../src/publish/kafka/options.ts';
import { startTokenEndpoint, type TokenEndpoint } from '../support/token-endpoint.ts';

const SECRET = 'the secret: of & a client';

describe('bearer tokens', () => {
  let endpoint: TokenEndpoint;
  let clock: number;

  beforeEach(async () => {
    clock = 1_000_000;
    endpoint = await startTokenEndpoint(() => ({
      body: { access_token: `token-${endpoint.requests.length}`, token_type: 'Bearer', expires_in: 100 },
    }));
  });
  afterEach(() => endpoint[Symbol.asyncDispose]());

  const client = (more: Partial<OAuthClient> = {}): OAuthClient => ({
    tokenUrl: endpoint.url,
    clientId: 'relay',
    clientSecret: SECRET,
    scope: null,
    audience: null,
    tls: null,
    ...more,
  });
  const options = (oauth: OAuthClient): KafkaOptions => ({
    ...KAFKA_DEFAULTS,
    brokers: [],
    sasl: { mechanism: 'OAUTHBEARER', extensions: {}, token: null, oauth },
  });
  const tokens = (oauth = client()) => bearerTokens(options(oauth), () => clock);

  it('are asked for by client credentials, as RFC 6749 encodes them', async () => {
    expect(await tokens(client({ scope: 'a b', audience: 'kafka' }))()).toBe('token-1');
    const [{ authorization, fields } = { authorization: '', fields: {} }] = endpoint.requests;
    expect(fields).toEqual({ grant_type: 'client_credentials', scope: 'a b', audience: 'kafka' });
    const encoded = Buffer.from(authorization?.replace('Basic ', '') ?? '', 'base64').toString();
    expect(encoded).toBe('relay:the+secret%3A+of+%26+a+client');
  });

  it('are kept until the last fifth of their life, and asked for once by all who wait', async () => {
    const token = tokens();
    expect(await Promise.all([token(), token(), token()])).toEqual(['token-1', 'token-1', 'token-1']);
    clock += 79_999;
    expect(await token()).toBe('token-1');
    clock += 1;
    expect(await Promise.all([token(), token()])).toEqual(['token-2', 'token-2']);
    expect(endpoint.requests).toHaveLength(2);
  });

  it('that do not say how long they live are asked for each time', async () => {
    endpoint.answer = () => ({ body: { access_token: 'x' } });
    const token = tokens();
    expect([await token(), await token()]).toEqual(['x', 'x']);
    expect(endpoint.requests).toHaveLength(2);
  });

  it('are asked for anew when the secret was replaced in its file', async () => {
    let oauth = client();
    const given = options(oauth);
    const renewed = () => ({
      tls: null,
      sasl: { mechanism: 'OAUTHBEARER' as const, extensions: {}, token: null, oauth },
    });
    const token = bearerTokens({ ...given, renewed }, () => clock);
    expect(await token()).toBe('token-1');
    oauth = client({ clientSecret: 'another' });
    expect(await token()).toBe('token-2');
  });

  it('of a file are those that it holds by then', async () => {
    let token = 'first';
    const sasl = () => ({ mechanism: 'OAUTHBEARER' as const, extensions: {}, token, oauth: null });
    const given = { ...KAFKA_DEFAULTS, brokers: [], sasl: sasl(), renewed: () => ({ tls: null, sasl: sasl() }) };
    const current = bearerTokens(given);
    expect(await current()).toBe('first');
    token = 'second';
    expect(await current()).toBe('second');
  });

  it.each([
    [{ status: 401, body: { error: 'invalid_client' } }, 'oauth_refused', /HTTP status 401 \(invalid_client\)/],
    [{ status: 400, body: { error: SECRET } }, 'oauth_refused', /HTTP status 400$/],
    [{ status: 503, body: {} }, 'oauth_unavailable', /HTTP status 503/],
    [{ status: 429, body: {} }, 'oauth_unavailable', /HTTP status 429/],
    [{ body: { token: 'x' } }, 'oauth_refused', /no access_token/],
    [{ body: { access_token: 'two\u0001fields' } }, 'oauth_refused', /no access_token/],
    [{ body: [] }, 'oauth_refused', /no access_token/],
  ])('%j is told as %s, without the secret', async (answer, code, message) => {
    endpoint.answer = () => answer;
    const error = await tokens()().catch((thrown: unknown) => thrown as Error);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) as string });
    expect(String(error)).not.toContain(SECRET);
  });

  it('cannot be had of an endpoint that is away, and can when it is back', async () => {
    const token = tokens(client({ tokenUrl: 'http://127.0.0.1:1/token' }));
    await expect(token()).rejects.toMatchObject({ code: 'oauth_unavailable', retryable: true });
    const late = tokens();
    endpoint.answer = () => ({ status: 500, body: {} });
    await expect(late()).rejects.toMatchObject({ code: 'oauth_unavailable' });
    endpoint.answer = () => ({ body: { access_token: 'x', expires_in: 60 } });
    expect(await late()).toBe('x');
  });
});

describe('SASL OAUTHBEARER', () => {
  it('shows the token and its extensions as RFC 7628 says', () => {
    expect(oauthInitialResponse('t', { logicalCluster: 'c' }).toString()).toBe(
      'n,,\x01auth=Bearer t\x01logicalCluster=c\x01\x01',
    );
  });

  it('takes an empty answer for consent, and anything else for a refusal', () => {
    expect(refusedToken(Buffer.alloc(0))).toBeNull();
    expect(refusedToken(Buffer.from('{"status":"invalid_token"}'))).toMatchObject({ code: 'broker_authentication' });
  });
});
