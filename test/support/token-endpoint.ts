import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** What a token endpoint was asked. */
export interface TokenRequest {
  readonly authorization: string | undefined;
  readonly fields: Readonly<Record<string, string>>;
}

/** What it answers; of status 200 unless it says otherwise. */
export interface TokenAnswer {
  readonly status?: number;
  readonly body: unknown;
}

/** An authorization server's token endpoint, on this host. */
export interface TokenEndpoint extends AsyncDisposable {
  readonly url: string;
  /** In the order in which they came. */
  readonly requests: readonly TokenRequest[];
  answer: () => TokenAnswer;
}

/** Starts one. */
export async function startTokenEndpoint(answer: () => TokenAnswer): Promise<TokenEndpoint> {
  const requests: TokenRequest[] = [];
  const server = createServer((request, response) => {
    void read(request).then((asked) => {
      requests.push(asked);
      const { status = 200, body } = endpoint.answer();
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const endpoint: TokenEndpoint = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`,
    requests,
    answer,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return endpoint;
}

async function read(request: IncomingMessage): Promise<TokenRequest> {
  const fields = Object.fromEntries(new URLSearchParams(await text(request)));
  return { authorization: request.headers.authorization, fields };
}
