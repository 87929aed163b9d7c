import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { BeginMessage, CommitMessage } from '../../src/capture/stream/pgoutput-decoder.ts';
import { replicationError } from '../../src/capture/stream/replication-error.ts';
import { decodeKeepalive, encodeStandbyStatus } from '../../src/capture/stream/replication-messages.ts';
import type { DecodedRow } from '../../src/capture/stream/row-decoder.ts';
import { newSlotName, slotNamePattern } from '../../src/capture/stream/slot.ts';
import { StandbyReporter } from '../../src/capture/stream/standby-reporter.ts';
import { decideReport, replyDelay, streamTimings } from '../../src/capture/stream/stream-timing.ts';
import { TransactionAssembler } from '../../src/capture/stream/transaction-assembler.ts';
import { RelayError } from '../../src/core/errors.ts';

const failure = (code: string): Error => expect.objectContaining({ code }) as Error;

describe('assembling transactions', () => {
  const begin = (commitLsn: bigint): BeginMessage => ({ kind: 'begin', commitLsn, committedAt: 1, xid: 5 });
  const commit = (commitLsn: bigint): CommitMessage => ({ kind: 'commit', commitLsn, endLsn: commitLsn + 8n });
  const row = (position: bigint, bytes = 10): DecodedRow => ({
    row: { position, id: 'i', values: [], lane: 'stream', xid: 5, since: 1 },
    bytes,
  });

  test('hands rows over at the commit, in order, and begins anew', () => {
    const assembler = new TransactionAssembler(100);
    assembler.begin(begin(50n));
    assembler.add(row(2n));
    assembler.add(row(1n));
    expect(assembler.commit(commit(50n))).toMatchObject({ xid: 5, commitLsn: 50n, committedAt: 1, bytes: 20 });
    assembler.begin(begin(60n));
    assembler.add(row(3n));
    expect(assembler.commit(commit(60n))).toMatchObject({ rows: [{ position: 3n }], bytes: 10 });
  });

  test('hands nothing over for an empty transaction', () => {
    const assembler = new TransactionAssembler(100);
    assembler.begin(begin(50n));
    expect(assembler.commit(commit(50n))).toBeNull();
  });

  test('counts bytes of one transaction only, and takes exactly as many as it may', () => {
    const assembler = new TransactionAssembler(100);
    for (const lsn of [1n, 2n]) {
      assembler.begin(begin(lsn));
      assembler.add(row(1n, 100));
      expect(assembler.commit(commit(lsn))?.bytes).toBe(100);
    }
    assembler.begin(begin(3n));
    assembler.add(row(1n, 60));
    expect(() => assembler.add(row(2n, 41))).toThrow(failure('buffer_full'));
  });

  test('refuses what is out of order', () => {
    const assembler = new TransactionAssembler(100);
    expect(() => assembler.commit(commit(1n))).toThrow(failure('replication_protocol'));
    expect(() => assembler.current).toThrow(failure('replication_protocol'));
    assembler.begin(begin(1n));
    expect(() => assembler.begin(begin(2n))).toThrow(failure('replication_protocol'));
    expect(() => assembler.commit(commit(2n))).toThrow(failure('replication_protocol'));
  });

  test('has reached a keepalive, but inside a transaction no more than the start of its commit record', () => {
    const assembler = new TransactionAssembler(100);
    expect(assembler.reached(70n)).toBe(70n);
    assembler.begin(begin(50n));
    expect(assembler.reached(70n)).toBe(50n);
    expect(assembler.reached(40n)).toBe(40n);
    assembler.commit(commit(50n));
    expect(assembler.reached(70n)).toBe(70n);
  });
});

describe('timings', () => {
  test('several reports fit into any timeout of the server, one a second at least, more than one a millisecond never', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 - 1 }), (timeout) => {
        const timings = streamTimings(timeout);
        expect(timings.reportEveryMs).toBeLessThanOrEqual(1000);
        expect(timings.reportEveryMs).toBeGreaterThanOrEqual(1);
        if (timeout >= 4) expect(timings.reportEveryMs * 4).toBeLessThanOrEqual(timeout);
        expect(timings.reportGapMs).toBeLessThanOrEqual(timings.reportEveryMs);
      }),
      { examples: [[0], [1], [3000], [30_000]] },
    );
    expect(streamTimings(0)).toEqual(streamTimings(30_000));
  });

  test('a silent server is asked, and dead when it does not answer in time', () => {
    const timings = streamTimings(30_000);
    expect(decideReport({ heardAt: 0, askedAt: null }, 29_999, timings)).toBe('report');
    expect(decideReport({ heardAt: 0, askedAt: null }, 30_000, timings)).toBe('probe');
    expect(decideReport({ heardAt: 0, askedAt: 30_000 }, 59_999, timings)).toBe('report');
    expect(decideReport({ heardAt: 0, askedAt: 30_000 }, 60_000, timings)).toBe('dead');
  });

  test('after a long stall of ourselves the server is asked before it counts as dead', () => {
    expect(decideReport({ heardAt: 0, askedAt: null }, 1e9, streamTimings(1000))).toBe('probe');
  });

  test('replies keep their distance', () => {
    const timings = streamTimings(30_000);
    expect(replyDelay(0, 1000, timings)).toBe(0);
    expect(replyDelay(990, 1000, timings)).toBe(40);
  });
});

describe('reporting', () => {
  const timings = streamTimings(4000);
  beforeEach(
    () =>
      void vi.useFakeTimers({
        toFake: ['setTimeout', 'setInterval', 'clearTimeout', 'clearInterval', 'performance', 'Date'],
      }),
  );
  afterEach(() => void vi.useRealTimers());

  function reporting() {
    const state = { sent: [] as Buffer[], heard: 0, paused: false, deadAfter: null as number | null };
    const reporter = new StandbyReporter(
      {
        received: () => 42n,
        bytesHeard: () => state.heard,
        paused: () => state.paused,
        send: (message) => state.sent.push(message),
        dead: (silentForMs) => (state.deadAfter = silentForMs),
      },
      timings,
    );
    const probes = (): number => state.sent.filter((message) => message[33] === 1).length;
    return { state, reporter, probes };
  }

  test('once at the start and then regularly', () => {
    const { state, reporter } = reporting();
    expect(state.sent).toHaveLength(1);
    vi.advanceTimersByTime(3000);
    expect(state.sent).toHaveLength(4);
    reporter.stop();
    vi.advanceTimersByTime(10_000);
    expect(state.sent).toHaveLength(4);
  });

  test('a flood of requests costs one reply each 50 ms', () => {
    const { state, reporter } = reporting();
    for (let ms = 0; ms < 500; ms++) {
      reporter.reply();
      vi.advanceTimersByTime(1);
    }
    expect(state.sent.length).toBeGreaterThanOrEqual(10);
    expect(state.sent.length).toBeLessThanOrEqual(12);
    reporter.stop();
  });

  test('a server that falls silent is asked once, then dead, and nothing more is sent', () => {
    const { state, probes } = reporting();
    vi.advanceTimersByTime(7999);
    expect([probes(), state.deadAfter]).toEqual([1, null]);
    vi.advanceTimersByTime(1);
    expect(state.deadAfter).toBe(8000);
    const sent = state.sent.length;
    vi.advanceTimersByTime(60_000);
    expect(state.sent).toHaveLength(sent);
  });

  test('an answer to the question counts, and so does every other byte', () => {
    const { state, reporter, probes } = reporting();
    vi.advanceTimersByTime(4000);
    expect(probes()).toBe(1);
    state.heard += 18;
    vi.advanceTimersByTime(4500);
    expect([probes(), state.deadAfter]).toEqual([1, null]);
    reporter.stop();
  });

  test('silence that is our own pause means nothing, and reports go on', () => {
    const { state, reporter, probes } = reporting();
    state.paused = true;
    vi.advanceTimersByTime(60_000);
    expect(state.sent).toHaveLength(61);
    expect([probes(), state.deadAfter]).toEqual([0, null]);
    state.paused = false;
    vi.advanceTimersByTime(3000);
    expect(probes()).toBe(0);
    reporter.stop();
  });
});

describe('messages', () => {
  test('a keepalive', () => {
    const chunk = Buffer.from('6b0000000100000002000000000000000001', 'hex');
    expect(decodeKeepalive(chunk)).toEqual({ walEnd: 0x1_0000_0002n, replyRequested: true });
    chunk[17] = 0;
    expect(decodeKeepalive(chunk).replyRequested).toBe(false);
    expect(() => decodeKeepalive(chunk.subarray(1))).toThrow(failure('replication_protocol'));
  });

  test('a status reports one position three times, and the time since 2000', () => {
    const status = encodeStandbyStatus(0x1_0000_0002n, 946_684_800_001.7, true);
    expect(status.toString('hex')).toBe(`72${'0000000100000002'.repeat(3)}00000000000003e801`);
  });
});

describe('slot names', () => {
  test('are of their prefix and shard, legal, and never the same', () => {
    const names = Array.from({ length: 100 }, () => newSlotName('outbox_relay', 3));
    expect(new Set(names).size).toBe(100);
    for (const name of names) expect(name).toMatch(new RegExp(slotNamePattern('outbox_relay', 3)));
  });

  test('the pattern leaves out other shards, and prefixes that begin alike', () => {
    const pattern = new RegExp(slotNamePattern('a', 1));
    expect('a_1_0123456789ab').toMatch(pattern);
    for (const other of ['a_11_0123456789ab', 'a_1_0_0123456789ab', 'b_a_1_0123456789ab', 'a_1_x']) {
      expect(other).not.toMatch(pattern);
    }
  });

  test.each(['Upper', 'with-dash', 'blank ', 'x'.repeat(60), 'quote"'])('the prefix %j is refused', (prefix) => {
    expect(() => newSlotName(prefix, 0)).toThrow(failure('config_invalid'));
  });
});

describe('errors', () => {
  const refusal = (code: string): Error => Object.assign(new Error('no'), { code });

  test.each([
    ['55000', 'replication_wal_level'],
    ['53400', 'replication_exhausted'],
    ['53300', 'replication_exhausted'],
    ['42501', 'replication_denied'],
    ['28000', 'replication_denied'],
    ['28P01', 'replication_denied'],
    ['08P01', 'replication_indirect'],
    ['42601', 'replication_indirect'],
    ['42704', 'replication_publication'],
    ['0A000', 'replication_unavailable'],
  ] as const)('%s: %s, before somebody mends something, with a remedy of its own', (state, code) => {
    const error = replicationError(refusal(state), 'opening', 'relay');
    expect(error).toMatchObject({ code, class: 'configuration' });
    expect(error.remedy).not.toBe(new RelayError(code, '').remedy);
  });

  test.each(['55P03', '57014', '57P01', 'XX000', 'ECONNRESET'])('%s: failed this time', (code) => {
    expect(replicationError(refusal(code), 'opening', 'relay').code).toBe('replication_failed');
  });

  test('a SQLSTATE is found under what the connection made of it', () => {
    const wrapped = new RelayError('postgres_permission', 'connecting', { cause: refusal('42501') });
    expect(replicationError(wrapped, 'opening', 'app').remedy).toContain('ALTER ROLE "app" REPLICATION');
  });

  test("the stream's own errors stay as they are", () => {
    const own = new RelayError('buffer_full', 'x');
    expect(replicationError(own, 'streaming', 'relay')).toBe(own);
  });
});
