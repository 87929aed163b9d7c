/** Sends the rows of a case by amqplib alone: mandatory, persistent, confirmed, with the relay's window. */
import amqp from 'amqplib';
import { idOf, payloads } from '../rows.ts';
import { type ClientAssignment, readAssignment, stay } from './assignment.ts';

const WINDOW = 1000;

const { target, rows, shape } = readAssignment() as ClientAssignment<'rabbitmq'>;
const payloadOf = payloads(shape);
const connection = await amqp.connect(target.url);
const channel = await connection.createConfirmChannel();

let unconfirmed = 0;
let wake = (): void => undefined;

for (let n = 1; n <= rows; n++) {
  const options = {
    persistent: true,
    mandatory: true,
    messageId: idOf(n),
    type: 'written',
    contentType: 'application/json',
    headers: { 'x-deduplication-header': idOf(n) },
  };
  unconfirmed++;
  channel.publish(target.exchange, 'bench', Buffer.from(payloadOf(Date.now())), options, (error: unknown) => {
    if (error) throw new Error('a message was not confirmed', { cause: error });
    unconfirmed--;
    if (unconfirmed <= WINDOW / 2) wake();
  });
  if (unconfirmed < WINDOW) continue;
  await new Promise<void>((resolve) => (wake = resolve));
}
await stay();
