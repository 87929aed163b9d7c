import { describeError, RelayError } from '../../core/errors.ts';
import type { ErrorCode } from '../../core/error-catalogue.ts';
import { brokerTlsError } from '../tls.ts';

/** What went wrong at the broker or on the way to it, in the relay's terms. */
export interface KafkaTrouble {
  readonly error: RelayError;
  /**
   * Whether the very same request is to be sent again, nothing else being known: no answer came, it could not be read,
   * or the request went to a broker that does not lead a partition any more.
   */
  readonly repeat: boolean;
  /** Kafka's error code, where the broker gave one. */
  readonly brokerCode: number | null;
}

export const UNKNOWN_TOPIC_OR_PARTITION = 3;
export const LEADER_NOT_AVAILABLE = 5;
export const NOT_LEADER_OR_FOLLOWER = 6;
const REQUEST_TIMED_OUT = 7;
export const MESSAGE_TOO_LARGE = 10;
export const COORDINATOR_LOAD_IN_PROGRESS = 14;
const NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20;

/** After these the very same request is the best next one: its leader is another, or it is in the log and not yet replicated. */
const REPEATED_CODES: ReadonlySet<number> = new Set([
  NOT_LEADER_OR_FOLLOWER,
  REQUEST_TIMED_OUT,
  NOT_ENOUGH_REPLICAS_AFTER_APPEND,
]);

/** Kafka's error codes that mean something other than "try again": https://kafka.apache.org/protocol#protocol_error_codes */
const BROKER_CODES: ReadonlyMap<number, readonly [name: string, code: ErrorCode]> = new Map([
  // passes by itself while metadata spread; whether the topic is missing is asked for separately
  [3, ['UNKNOWN_TOPIC_OR_PARTITION', 'broker_unavailable']],
  [7, ['REQUEST_TIMED_OUT', 'broker_timeout']],
  [10, ['MESSAGE_TOO_LARGE', 'message_too_large']],
  [17, ['INVALID_TOPIC_EXCEPTION', 'message_invalid']],
  [18, ['RECORD_LIST_TOO_LARGE', 'message_too_large']],
  [21, ['INVALID_REQUIRED_ACKS', 'broker_setup']],
  [29, ['TOPIC_AUTHORIZATION_FAILED', 'broker_authorization']],
  [31, ['CLUSTER_AUTHORIZATION_FAILED', 'broker_authorization']],
  [32, ['INVALID_TIMESTAMP', 'message_invalid']],
  [33, ['UNSUPPORTED_SASL_MECHANISM', 'broker_authentication']],
  [34, ['ILLEGAL_SASL_STATE', 'broker_authentication']],
  [35, ['UNSUPPORTED_VERSION', 'broker_setup']],
  [43, ['UNSUPPORTED_FOR_MESSAGE_FORMAT', 'broker_setup']],
  [53, ['TRANSACTIONAL_ID_AUTHORIZATION_FAILED', 'broker_authorization']],
  [58, ['SASL_AUTHENTICATION_FAILED', 'broker_authentication']],
  [76, ['UNSUPPORTED_COMPRESSION_TYPE', 'broker_setup']],
  [87, ['INVALID_RECORD', 'message_invalid']],
] as const);

/** An answer that is not one to its request, so that nothing in it can be believed. */
export class UnreadableAnswer extends Error {
  override readonly name = 'UnreadableAnswer';
}

/** What Node says when a connection cannot be made or breaks. */
const NETWORK_CODE = /^(ECONN|EHOST|ENET|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_|EADDRNOTAVAIL|PLT_KFK_NETWORK)/;

/** Of what a login needs and the relay itself looks up. */
const CREDENTIAL_CODES: ReadonlySet<ErrorCode> = new Set([
  'credentials_unusable',
  'oauth_unavailable',
  'oauth_refused',
  'broker_authentication',
  'broker_tls',
  'broker_client_certificate',
]);

/** What the two clients throw, of which only these parts are looked at. */
interface ErrorShape {
  readonly name?: unknown;
  readonly code?: unknown;
  readonly cause?: unknown;
  readonly errors?: unknown;
  readonly apiId?: unknown;
  readonly apiCode?: unknown;
  readonly type?: unknown;
  readonly path?: unknown;
  readonly constructor: { readonly name: string };
}

/**
 * Finds out what an error of either client means. Both wrap: the whole tree of `errors` and `cause` is looked at, and
 * never the text of a message.
 *
 * @param doing what was tried, for the message: `publishing to Kafka`
 */
export function troubleOf(thrown: unknown, doing: string): KafkaTrouble {
  const shapes = flatten(thrown);
  const trouble = (code: ErrorCode, repeat: boolean, brokerCode: number | null = null): KafkaTrouble => ({
    error: new RelayError(code, `${doing}: ${describeFirst(thrown, shapes)}`, { cause: thrown }),
    repeat,
    brokerCode,
  });
  const unproven = shapes.find(isOfCredentials);
  if (unproven !== undefined) return { error: unproven, repeat: unproven.retryable, brokerCode: null };
  const message = `${doing}: ${describeFirst(thrown, shapes)}`;
  const insecure = shapes.map(({ code }) => brokerTlsError(code, message, thrown)).find((error) => error !== null);
  if (insecure !== undefined) return { error: insecure, repeat: false, brokerCode: null };
  if (shapes.some(isAuthentication)) return trouble('broker_authentication', false);
  if (shapes.some(isTimeout)) return trouble('broker_timeout', true);
  if (shapes.some(isNetwork)) return trouble('broker_unreachable', true);
  const brokerCodes = shapes.map(brokerCodeOf).filter((code) => code !== null);
  const repeated = brokerCodes.find((code) => REPEATED_CODES.has(code));
  if (repeated !== undefined) return trouble(catalogueCode(repeated), true, repeated);
  if (shapes.some(isUnreadable)) return trouble('broker_unavailable', true);
  const [brokerCode = null] = brokerCodes;
  if (brokerCode !== null) return trouble(catalogueCode(brokerCode), false, brokerCode);
  if (shapes.some(isUnsupported)) return trouble('broker_setup', false);
  if (shapes.some(isEncoding)) return trouble('message_invalid', false);
  if (shapes.some((shape) => shape.code === 'PLT_KFK_USER'))
    return trouble('broker_unavailable', false, UNKNOWN_TOPIC_OR_PARTITION);
  return trouble('broker_unavailable', false);
}

/** The error that a broker's code for one partition stands for. */
export function brokerError(brokerCode: number, where: string): RelayError {
  const name = BROKER_CODES.get(brokerCode)?.[0] ?? `error ${brokerCode}`;
  return new RelayError(catalogueCode(brokerCode), `${where}: Kafka answered ${name}`);
}

/** What the broker's code for one partition means for the batch that it is the answer to. */
export function answerTrouble(brokerCode: number, where: string): KafkaTrouble {
  return { error: brokerError(brokerCode, where), repeat: REPEATED_CODES.has(brokerCode), brokerCode };
}

/** The error and all errors in it, itself first. */
export function flatten(thrown: unknown): readonly ErrorShape[] {
  const found = new Set<ErrorShape>();
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null || found.has(value)) return;
    const shape: ErrorShape = value;
    found.add(shape);
    if (Array.isArray(shape.errors)) shape.errors.forEach(visit);
    visit(shape.cause);
  };
  visit(thrown);
  return [...found];
}

function catalogueCode(brokerCode: number): ErrorCode {
  return BROKER_CODES.get(brokerCode)?.[1] ?? 'broker_unavailable';
}

/** platformatic: `apiCode`; kafkajs: a number in `code`, beside its name in `type`. */
function brokerCodeOf(shape: ErrorShape): number | null {
  // platformatic invents an "unknown server error" for each record of a refused partition
  if (typeof shape.apiCode === 'number') return isRecordDetail(shape) ? null : shape.apiCode;
  return typeof shape.code === 'number' && typeof shape.type === 'string' ? shape.code : null;
}

function isRecordDetail(shape: ErrorShape): boolean {
  return typeof shape.path === 'string' && shape.path.includes('/record_errors/');
}

/** Thrown by us before anything was sent, and passed on by the libraries as a cause. */
function isOfCredentials(shape: ErrorShape): shape is RelayError {
  return shape instanceof RelayError && CREDENTIAL_CODES.has(shape.code);
}

function isAuthentication(shape: ErrorShape): boolean {
  if (shape.name === 'KafkaJSSASLAuthenticationError') return true;
  return shape.code === 'PLT_KFK_AUTHENTICATION';
}

/** platformatic gives its time-outs the code of a network error: the class tells them apart. */
function isTimeout(shape: ErrorShape): boolean {
  return shape.constructor.name === 'TimeoutError' || shape.name === 'KafkaJSRequestTimeoutError';
}

function isNetwork(shape: ErrorShape): boolean {
  if (shape.name === 'KafkaJSConnectionError' || shape.name === 'KafkaJSConnectionClosedError') return true;
  return typeof shape.code === 'string' && NETWORK_CODE.test(shape.code);
}

function isUnsupported(shape: ErrorShape): boolean {
  return typeof shape.code === 'string' && shape.code.startsWith('PLT_KFK_UNSUPPORTED');
}

/**
 * An answer that could not be parsed. platformatic does not know tagged fields, by which brokers since 3.7 name
 * the new leader in an answer NOT_LEADER_OR_FOLLOWER: what stands behind them in the answer is read wrongly.
 */
function isUnreadable(shape: ErrorShape): boolean {
  if (shape instanceof UnreadableAnswer) return true;
  return typeof shape.code === 'string' && /(OUT_OF_BOUNDS|UNEXPECTED_CORRELATION_ID)$/.test(shape.code);
}

/** A value that the client could not encode: nothing was sent. */
function isEncoding(shape: ErrorShape): boolean {
  return shape instanceof TypeError || shape instanceof RangeError;
}

function describeFirst(thrown: unknown, shapes: readonly ErrorShape[]): string {
  const named = shapes.find((shape) => brokerCodeOf(shape) !== null);
  const name = named?.apiId ?? named?.type;
  if (typeof name === 'string') return name;
  return describeError(shapes.find((shape) => shape.errors === undefined && shape.cause === undefined) ?? thrown);
}
