import type { Batch, PartitionShare } from '../batch.ts';
import { shareName, type PartitionAnswer } from '../driver.ts';
import type { ProducerState } from './producer-state.ts';

/** A batch on its way, over all its attempts: what each broker has said of each partition so far. */
export class Delivery {
  readonly batch: Batch;
  /** Under whose id, and with whose sequence numbers, all attempts are. */
  readonly producer: ProducerState;
  readonly #answers = new Map<string, PartitionAnswer>();

  constructor(batch: Batch, producer: ProducerState) {
    this.batch = batch;
    this.producer = producer;
  }

  /** The latest answers, by partitionName; of a partition that is absent nothing is known. */
  get answers(): ReadonlyMap<string, PartitionAnswer> {
    return this.#answers;
  }

  /** A new attempt begins: what was said of shares that are not stored does not hold any more. */
  begin(): void {
    for (const share of this.unstored()) this.#answers.delete(shareName(share));
  }

  /** The shares that are not stored, for all that is known. */
  unstored(): readonly PartitionShare[] {
    return this.batch.shares.filter((share) => this.#answers.get(shareName(share))?.code !== 0);
  }

  /** Takes down what a broker said of shares that were not stored before. */
  answered(answers: ReadonlyMap<string, PartitionAnswer>): void {
    for (const share of this.unstored()) {
      const answer = answers.get(shareName(share));
      if (answer === undefined) continue;
      this.#answers.set(shareName(share), answer);
      if (answer.code === 0) this.producer.stored(share);
    }
  }
}
