import { createServer, type IncomingMessage, type Server } from 'node:http';
import { json } from 'node:stream/consumers';

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** Answers a request. @param body parsed; of a GET undefined */
export type Endpoint = (url: URL, body: unknown) => Promise<Answer>;

/** Serves JSON on 127.0.0.1. @param endpoints by method and first segment of the path: `POST /orders` */
export async function serve(port: number, endpoints: Readonly<Record<string, Endpoint>>): Promise<Server> {
  const answer = async (request: IncomingMessage): Promise<Answer> => {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    const endpoint = endpoints[`${request.method} /${url.pathname.split('/')[1] ?? ''}`];
    if (endpoint === undefined) return { status: 404, body: { error: 'not found' } };
    return endpoint(url, request.method === 'GET' ? undefined : await json(request));
  };
  const server = createServer((request, response) => {
    answer(request)
      .catch((error: unknown): Answer => ({ status: 500, body: { error: String(error) } }))
      .then(({ status, body }) =>
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body)),
      )
      .catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  return server;
}
