import type { Connection, Writer } from '@platformatic/kafka';
import type { PartitionAnswer } from '../driver.ts';
import { UnreadableAnswer } from '../errors.ts';
import { PRODUCE_API_KEY } from './produce-request.ts';
import { readProduceResponse } from './produce-response.ts';

/** One Produce request as it goes out. */
export interface ProduceExchange {
  readonly version: number;
  /** Its body, from {@link writeProduceRequest}; must not be written to before the answer is there. */
  readonly body: Writer;
  /** The partitions that it has, by partitionName. */
  readonly asked: ReadonlySet<string>;
}

/**
 * Sends a Produce request and resolves to the answer.
 *
 * @throws the library's error when no answer came, or UnreadableAnswer
 */
export function exchange(
  connection: Connection,
  { version, body, asked }: ProduceExchange,
): Promise<ReadonlyMap<string, PartitionAnswer>> {
  return new Promise((resolve, reject) => {
    connection.send<ReadonlyMap<string, PartitionAnswer>>(
      PRODUCE_API_KEY,
      version,
      () => body,
      (_correlationId, _apiKey, _apiVersion, reader) =>
        readProduceResponse(reader.buffer.slice(reader.position), version, asked),
      false,
      false,
      (error, answers) => {
        if (error !== null || answers === undefined) reject(error ?? new UnreadableAnswer('there is no answer'));
        else resolve(answers);
      },
    );
  });
}
