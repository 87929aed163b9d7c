import type { RelayError } from '../../core/errors.ts';
import type { OutgoingMessage } from '../../core/message.ts';
import type { Batch, PartitionShare } from './batch.ts';
import { shareName, type PartitionAnswer, type SendFailure } from './driver.ts';
import { brokerError, MESSAGE_TOO_LARGE, UNKNOWN_TOPIC_OR_PARTITION } from './errors.ts';

/** What becomes of each message of a request that the broker did not take as a whole. */
export interface Settlement {
  /** Stored durably. */
  readonly stored: readonly OutgoingMessage[];
  /** At fault for certain; of a key only its first. */
  readonly refused: readonly { readonly message: OutgoingMessage; readonly fault: RelayError }[];
  /** To be sent again, in order: their partition failed, or nothing is known of them. */
  readonly again: readonly OutgoingMessage[];
  /** How many of `again` are together because one of them, not known which, is at fault. */
  readonly suspects: number;
  /** Topics of which a batch of so many bytes for one partition was too large. */
  readonly tooLarge: ReadonlyMap<string, number>;
  /** Topics that the broker does not know any more, or not with that partition. */
  readonly vanished: ReadonlySet<string>;
  /** Why sending has to stop: somebody has to mend something. */
  readonly stop: RelayError | null;
  /** Why it has to wait before it is sent again. */
  readonly wait: RelayError | null;
}

/** The messages of a batch that share one answer. */
interface Group {
  readonly shares: readonly PartitionShare[];
  /** Of all shares, in the order of the batch. */
  readonly members: readonly number[];
  readonly answer: PartitionAnswer | null;
  /** Null: stored. */
  readonly fault: RelayError | null;
}

/** Sorts the messages of a failed batch by the broker's answers. Nothing is taken for stored without a word from the broker. */
export function settle(batch: Batch, failure: SendFailure): Settlement {
  const refused = new Map<number, RelayError>();
  const stored = new Set<number>();
  const tooLarge = new Map<string, number>();
  const vanished = new Set<string>();
  let suspects = 0;
  let stop: RelayError | null = null;
  let wait: RelayError | null = null;
  for (const group of groupsOf(batch, failure)) {
    const { fault, members } = group;
    const code = group.answer === null ? failure.trouble.brokerCode : group.answer.code;
    if (code === UNKNOWN_TOPIC_OR_PARTITION) for (const { topic } of group.shares) vanished.add(topic);
    if (fault === null) for (const at of members) stored.add(at);
    else if (fault.class === 'configuration' || fault.class === 'fatal') stop ??= fault;
    else if (fault.class === 'transient') wait ??= fault;
    else {
      const culprits = culpritsOf(group).filter((at) => isFirstOfKey(batch.messages, members, at));
      for (const at of culprits) refused.set(at, fault);
      if (culprits.length === 0 && group.answer?.code === MESSAGE_TOO_LARGE) {
        for (const { topic, bytes } of group.shares)
          tooLarge.set(topic, Math.min(tooLarge.get(topic) ?? Infinity, bytes));
      } else if (culprits.length === 0) suspects += members.length;
    }
  }
  return { ...sort(batch.messages, stored, refused), suspects, tooLarge, vanished, stop, wait };
}

/** By partition where the broker answered for it; all others together. */
function groupsOf({ shares }: Batch, failure: SendFailure): readonly Group[] {
  const groups: Group[] = [];
  const unanswered: PartitionShare[] = [];
  for (const share of shares) {
    const name = shareName(share);
    const answer = failure.answers.get(name) ?? null;
    if (answer === null) unanswered.push(share);
    else groups.push(groupOf([share], answer, faultOf(answer, name)));
  }
  if (unanswered.length > 0) groups.push(groupOf(unanswered, null, failure.trouble.error));
  return groups;
}

function groupOf(shares: readonly PartitionShare[], answer: PartitionAnswer | null, fault: RelayError | null): Group {
  const members = shares.flatMap((share) => share.members).sort((one, other) => one - other);
  return { shares, members, answer, fault };
}

function faultOf({ code }: PartitionAnswer, name: string): RelayError | null {
  return code === 0 ? null : brokerError(code, `publishing to ${name}`);
}

function culpritsOf({ members, answer }: Group): readonly number[] {
  if (members.length === 1) return members;
  return (answer?.culprits ?? []).map((at) => members[at]).filter((at) => at !== undefined);
}

/**
 * Whether no other message of its key is before it in its partition. If one is, it was not stored either, though
 * nothing is wrong with it, and has to be before the culprit is refused: what is refused holds back its whole key.
 */
function isFirstOfKey(messages: readonly OutgoingMessage[], members: readonly number[], culprit: number): boolean {
  const key = messages[culprit]?.key ?? null;
  return key === null || !members.some((at) => at < culprit && messages[at]?.key === key);
}

/** A second culprit of one key waits its turn behind the first: it is found again when the key goes on. */
function sort(
  messages: readonly OutgoingMessage[],
  isStored: ReadonlySet<number>,
  faults: ReadonlyMap<number, RelayError>,
): Pick<Settlement, 'stored' | 'refused' | 'again'> {
  const stored: OutgoingMessage[] = [];
  const refused: { message: OutgoingMessage; fault: RelayError }[] = [];
  const again: OutgoingMessage[] = [];
  const keys = new Set<string>();
  messages.forEach((message, at) => {
    const fault = faults.get(at);
    if (isStored.has(at)) stored.push(message);
    else if (fault === undefined || (message.key !== null && keys.has(message.key))) again.push(message);
    else {
      refused.push({ message, fault });
      if (message.key !== null) keys.add(message.key);
    }
  });
  return { stored, refused, again };
}
