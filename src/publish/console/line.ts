import type { OutgoingMessage } from '../../core/message.ts';

/** A message as a line of JSON: where it goes, key, id, type, headers and body. */
export function messageLine(message: OutgoingMessage): string {
  const { address, key, row, type, headers } = message;
  const where =
    address.kind === 'topic'
      ? { topic: address.topic }
      : { exchange: address.exchange, routingKey: address.routingKey };
  const fields = JSON.stringify({ ...where, key, id: row.id, type, headers: Object.fromEntries(headers) });
  return `${fields.slice(0, -1)},"body":${bodyText(message)}}\n`;
}

/** JSON as it is, so that no number is rounded, but in one line; text as a string; bytes in base64. */
function bodyText({ body, contentType }: OutgoingMessage): string {
  if (body === null) return 'null';
  // Between the tokens of JSON a line break is a blank, and within its strings there is none.
  if (contentType === 'application/json') return body.toString().replace(/[\r\n]+/g, ' ');
  if (contentType.startsWith('text/') || contentType.endsWith('xml')) return JSON.stringify(body.toString());
  return `{"base64":"${body.toString('base64')}"}`;
}
