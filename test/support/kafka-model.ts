/** A Kafka cluster in memory, reached through a stand-in for the classes of `@platformatic/kafka` that the direct driver uses. */
import * as library from '@platformatic/kafka';
import {
  NetworkError,
  Reader,
  readRecordsBatch,
  TimeoutError,
  Writer,
  type BaseOptions,
  type RecordsBatch,
} from '@platformatic/kafka';
import type { Library } from '../../src/publish/kafka/platformatic-client.ts';

const NOT_LEADER = 6;
const OUT_OF_ORDER_SEQUENCE = 45;
/** REQUEST_TIMED_OUT and NOT_ENOUGH_REPLICAS_AFTER_APPEND: the records are in the log all the same. */
const APPENDED: ReadonlySet<number> = new Set([7, 20]);

/** What happens to one Produce request. */
export type ModelFault =
  | { readonly kind: 'none' }
  /** The connection breaks, before the broker has the request or after it has stored it. */
  | { readonly kind: 'reset'; readonly stored: boolean }
  /** The client waits in vain. The broker gets the request after so many others, out of the socket's memory. */
  | { readonly kind: 'late'; readonly behind: number }
  /** The answer is garbage, though all is stored. */
  | { readonly kind: 'garbage' }
  /** The broker refuses these partitions of the request and stores the others. */
  | { readonly kind: 'refused'; readonly partitions: readonly number[]; readonly code: number }
  /** All partitions have another leader by now. */
  | { readonly kind: 'moved' };

/** One partition's part of a request, as the broker reads it. */
export interface ModelShare {
  readonly topic: string;
  readonly partition: number;
  readonly batch: RecordsBatch;
  /** The record batch, in hex. */
  readonly bytes: string;
}

interface Late {
  readonly node: number;
  readonly body: Buffer;
  behind: number;
}

/** Two brokers, and topics of so many partitions each, whatever their names. */
export class ModelCluster {
  /** Each Produce request that the brokers have got, in order. */
  readonly requests: { readonly node: number; readonly shares: readonly ModelShare[] }[] = [];
  /** The ids of the records that are stored, by `topic/partition`, repetitions too. */
  readonly stored = new Map<string, { readonly id: string; readonly key: string | null }[]>();
  /** Things that must not happen, which no client could notice. */
  readonly violations: string[] = [];
  /** How many connections have been broken by the client. */
  dropped = 0;
  producers = 0;
  /** With which broker each client of the library begins. */
  readonly bootstraps: unknown[] = [];
  /** Of Produce, which the brokers speak. */
  versions = { minVersion: 3, maxVersion: 12 };
  readonly #partitions: number;
  readonly #faults: ModelFault[];
  readonly #sequences = new Map<string, Map<number, string>>();
  readonly #late: Late[] = [];
  #moves = 0;

  constructor(partitions: number, faults: readonly ModelFault[] = []) {
    this.#partitions = partitions;
    this.#faults = [...faults];
  }

  /** Takes the part of the module `@platformatic/kafka`. */
  library(): Library {
    const newProducer = (options: BaseOptions): ModelProducer => {
      this.bootstraps.push(options.bootstrapBrokers[0]);
      return new ModelProducer(this);
    };
    function Producer(options: BaseOptions): ModelProducer {
      return newProducer(options);
    }
    return { ...library, Producer } as unknown as Library;
  }

  /** Which node leads a partition. */
  leader(partition: number): number {
    return (partition + this.#moves) % 2;
  }

  metadata(topics: readonly string[]): unknown {
    const partitions = Array.from({ length: this.#partitions }, (_, index) => ({
      leader: this.leader(index),
      replicas: [0, 1],
    }));
    return {
      brokers: new Map([0, 1].map((node) => [node, { host: 'model', port: node }])),
      topics: new Map(topics.map((name) => [name, { partitions, partitionsCount: this.#partitions }])),
    };
  }

  /** @returns the answer, or the error that the client sees instead */
  produce(node: number, body: Buffer): Buffer | Error {
    const fault = this.#faults.shift() ?? { kind: 'none' };
    if (fault.kind === 'moved') this.#moves++;
    if (fault.kind === 'late') this.#late.push({ node, body, behind: fault.behind });
    const answer =
      fault.kind === 'late' || (fault.kind === 'reset' && !fault.stored) ? null : this.#take(node, body, fault);
    for (const late of this.#late.splice(0)) {
      if (late.behind-- > 0) this.#late.push(late);
      else if (late.body !== body) this.#take(late.node, late.body, { kind: 'none' });
      else this.#late.push(late);
    }
    if (fault.kind === 'late') return new TimeoutError('Request timed out');
    if (fault.kind === 'reset' || answer === null) return new NetworkError('Connection closed');
    return fault.kind === 'garbage' ? answer.subarray(0, -1) : answer;
  }

  #take(node: number, body: Buffer, fault: ModelFault): Buffer {
    const shares = readShares(body);
    this.requests.push({ node, shares });
    const answer = Writer.create().appendInt32(shares.length);
    for (const share of shares) {
      const code = this.#append(node, share, fault);
      answer.appendString(share.topic, false).appendInt32(1).appendInt32(share.partition).appendInt16(code);
      answer.appendInt64(0n).appendInt64(-1n).appendInt64(0n);
      if (this.versions.maxVersion > 7) answer.appendInt32(0).appendString(null, false);
    }
    return answer.appendInt32(0).buffer;
  }

  /** What a broker does, to the sequence numbers above all. */
  #append(node: number, { topic, partition, batch, bytes }: ModelShare, fault: ModelFault): number {
    if (this.leader(partition) !== node) return NOT_LEADER;
    const refused = fault.kind === 'refused' && fault.partitions.includes(partition) ? fault.code : 0;
    if (refused !== 0 && !APPENDED.has(refused)) return refused;
    const name = `${topic}/${partition}`;
    const known = `${batch.producerId} ${name}`;
    const before = this.#sequences.get(known) ?? new Map<number, string>();
    this.#sequences.set(known, before);
    const repeated = before.get(batch.firstSequence);
    if (repeated !== undefined) {
      // the broker looks at the numbers only, and takes the batch for one that it has
      if (repeated !== bytes) this.violations.push(`${name}: ${batch.firstSequence} again, with other bytes`);
      return refused;
    }
    const [last = -1] = [...before.keys()].slice(-1);
    const lastCount =
      last === -1 ? 0 : readRecordsBatch(Reader.from(Buffer.from(before.get(last)!, 'hex'))).records.length;
    const expected = last === -1 ? batch.firstSequence : last + lastCount;
    if (batch.firstSequence !== expected) return OUT_OF_ORDER_SEQUENCE;
    before.set(batch.firstSequence, bytes);
    const log = this.stored.get(name) ?? [];
    this.stored.set(name, log);
    for (const { key, headers } of batch.records)
      log.push({ id: [...headers][0]?.[1]?.toString() ?? '', key: key?.toString() ?? null });
    return refused;
  }
}

function readShares(body: Buffer): readonly ModelShare[] {
  const reader = Reader.from(body);
  reader.skip(2 + 2 + 4);
  return reader
    .readArray(
      (r) => {
        const topic = r.readString(false);
        const own = r.readArray((each) => [each.readInt32(), each.readBytes(false)] as const, false, false);
        return own.map(([partition, bytes]) => {
          if (library.jsCRC32C(bytes.subarray(21)) !== bytes.readUInt32BE(17)) throw new Error('corrupt record batch');
          const batch = readRecordsBatch(Reader.from(Buffer.from(bytes)));
          return { topic, partition, batch, bytes: bytes.toString('hex') };
        });
      },
      false,
      false,
    )
    .flat();
}

/** The library's producer, as far as the driver asks it for anything. Its metadata are as old as those of the library. */
class ModelProducer {
  readonly #cluster: ModelCluster;
  readonly #connections = new Map<number, ModelConnection>();
  #metadata: unknown;
  readonly connections = {
    get: ({ port }: { readonly port: number }): Promise<ModelConnection> => {
      const connection = this.#connections.get(port) ?? new ModelConnection(this.#cluster, port);
      this.#connections.set(port, connection);
      return Promise.resolve(connection);
    },
    [Symbol.iterator]: () => this.#connections.entries(),
  };

  constructor(cluster: ModelCluster) {
    this.#cluster = cluster;
  }

  initIdempotentProducer = () => Promise.resolve({ producerId: BigInt(++this.#cluster.producers), producerEpoch: 0 });
  listApis = () => Promise.resolve([{ apiKey: 0, name: 'Produce', ...this.#cluster.versions }]);
  close = (_force: boolean, done: () => void) => done();

  metadata({
    topics,
    forceUpdate,
  }: {
    readonly topics: readonly string[];
    readonly forceUpdate: boolean;
  }): Promise<unknown> {
    if (forceUpdate || this.#metadata === undefined) this.#metadata = this.#cluster.metadata([...topics, 't', 'u']);
    return Promise.resolve(this.#metadata);
  }
}

class ModelConnection {
  readonly #cluster: ModelCluster;
  readonly #node: number;
  readonly socket = { destroy: () => this.#cluster.dropped++ };

  constructor(cluster: ModelCluster, node: number) {
    this.#cluster = cluster;
    this.#node = node;
  }

  /** Unlike the library, it takes the bytes as they are, without a copy: so does a socket. */
  send(
    _apiKey: number,
    version: number,
    createPayload: () => Writer,
    parse: (correlationId: number, apiKey: number, apiVersion: number, reader: Reader) => unknown,
    _tags: boolean,
    _responseTags: boolean,
    callback: (error: Error | null, answer?: unknown) => void,
  ): void {
    const [body, ...more] = createPayload().buffers;
    if (body === undefined || more.length > 0) throw new Error('a request is one buffer');
    setImmediate(() => {
      const answer = this.#cluster.produce(this.#node, body);
      try {
        if (answer instanceof Error) throw answer;
        callback(null, parse(1, 0, version, Reader.from(answer)));
      } catch (error) {
        callback(error as Error);
      }
    });
  }
}
