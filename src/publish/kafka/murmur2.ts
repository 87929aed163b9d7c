const SEED = 0x9747b28c;
const M = 0x5bd1e995;

/**
 * The 32-bit murmur2 hash of Java's Kafka client (`Utils.murmur2`), as a signed integer. Linear in the length of the
 * key, on 32-bit integers throughout.
 *
 * @param length how many bytes from the front are the key
 */
export function murmur2(data: Uint8Array, length: number = data.length): number {
  const tail = length & ~3;
  let hash = SEED ^ length;
  for (let at = 0; at < tail; at += 4) {
    let word = byte(data, at) | (byte(data, at + 1) << 8) | (byte(data, at + 2) << 16) | (byte(data, at + 3) << 24);
    word = Math.imul(word, M);
    word ^= word >>> 24;
    hash = Math.imul(hash, M) ^ Math.imul(word, M);
  }
  const rest = length - tail;
  if (rest === 3) hash ^= byte(data, tail + 2) << 16;
  if (rest >= 2) hash ^= byte(data, tail + 1) << 8;
  if (rest >= 1) hash = Math.imul(hash ^ byte(data, tail), M);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, M);
  return hash ^ (hash >>> 15);
}

/**
 * The partition that Java's default partitioner gives a key among `partitions`.
 *
 * @param length how many bytes from the front are the key
 */
export function partitionForKey(key: Uint8Array, partitions: number, length: number = key.length): number {
  return (murmur2(key, length) & 0x7fffffff) % partitions;
}

function byte(data: Uint8Array, at: number): number {
  return data[at] ?? 0;
}
