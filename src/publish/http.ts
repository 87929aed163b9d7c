import { request as requestHttp } from 'node:http';
import { request as requestHttps, type RequestOptions } from 'node:https';

/** An HTTP answer, whatever its status. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

/** What {@link fetchText} does not leave to Node. */
export interface FetchOptions extends RequestOptions {
  /** @default none */
  readonly body?: string;
  /** A longer answer is an error, in bytes. */
  readonly maxBytes: number;
}

/**
 * Asks for a URL, over a connection of its own: one that is kept would outlive a rotation of certificates.
 *
 * @throws Node's error when no complete answer comes
 */
export function fetchText(url: URL, { body, maxBytes, ...options }: FetchOptions): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const request = url.protocol === 'https:' ? requestHttps : requestHttp;
    const sent = request(url, { agent: false, ...options }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes > maxBytes) response.destroy(new Error(`the answer has over ${maxBytes} bytes`));
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
