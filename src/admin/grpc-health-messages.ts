/**
 * The two messages of `grpc.health.v1`, in protobuf: small enough to be written and read by hand.
 * https://github.com/grpc/grpc-proto/blob/master/grpc/health/v1/health.proto
 */

/** The states of a service. */
export const SERVING_STATUS = { serving: 1, notServing: 2, serviceUnknown: 3 } as const;
export type ServingStatus = (typeof SERVING_STATUS)[keyof typeof SERVING_STATUS];

/** Both messages have one field, number 1. */
const SERVICE_TAG = (1 << 3) | 2;
const STATUS_TAG = 1 << 3;
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** Writes a `HealthCheckResponse`. */
export function encodeResponse(status: ServingStatus): Buffer {
  return Buffer.from([STATUS_TAG, status]);
}

/** What a client asks for. */
export interface HealthCheckRequest {
  /** Empty: the whole server. */
  readonly service: string;
}

/** Reads a `HealthCheckRequest`; fields that are not known are skipped. @throws RangeError */
export function decodeRequest(message: Buffer): HealthCheckRequest {
  let service = '';
  for (let at = 0; at < message.length;) {
    const tag = varint(message, at);
    const value = fieldAt(message, tag.end, tag.value & 7);
    if (tag.value === SERVICE_TAG) service = value.bytes.toString('utf8');
    at = value.end;
  }
  return { service };
}

function fieldAt(message: Buffer, at: number, wireType: number): { readonly bytes: Buffer; readonly end: number } {
  const [begin, end] = extent(message, at, wireType);
  if (end > message.length) throw new RangeError('the message ends within a field');
  return { bytes: message.subarray(begin, end), end };
}

function extent(message: Buffer, at: number, wireType: number): readonly [begin: number, end: number] {
  switch (wireType) {
    case VARINT:
      return [at, varint(message, at).end];
    case FIXED64:
      return [at, at + 8];
    case BYTES: {
      const length = varint(message, at);
      return [length.end, length.end + length.value];
    }
    case FIXED32:
      return [at, at + 4];
    default:
      throw new RangeError('a field of an unknown kind');
  }
}

function varint(message: Buffer, begin: number): { readonly value: number; readonly end: number } {
  let value = 0;
  for (let at = begin, scale = 1; ; at++, scale *= 128) {
    const byte = message.readUInt8(at);
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return { value, end: at + 1 };
  }
}
