import type { PartitionShare } from '../batch.ts';
import { shareName } from '../driver.ts';

/** Sequence numbers begin again at 0 behind this one. */
const LAST_SEQUENCE = 0x7fff_ffff;

/** An idempotent producer as the brokers know it: its id, and the number of the next record of each partition. */
export class ProducerState {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly #next = new Map<string, number>();

  constructor(producerId: bigint, producerEpoch: number) {
    this.producerId = producerId;
    this.producerEpoch = producerEpoch;
  }

  /** The number of the share's first record: the same until {@link stored}. */
  sequenceOf(share: PartitionShare): number {
    return this.#next.get(shareName(share)) ?? 0;
  }

  /** The broker has stored the share: the partition's next one has the numbers behind it. */
  stored(share: PartitionShare): void {
    this.#next.set(shareName(share), (this.sequenceOf(share) + share.members.length) & LAST_SEQUENCE);
  }
}
