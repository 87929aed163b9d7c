import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Progress } from '../../src/cli/progress.ts';

const step = (done: number, total: number | null = 2_000_000) => ({
  what: 'reading orders',
  done,
  total,
  unit: 'messages',
});

describe('progress', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function started(terminal: { isTTY?: boolean; columns?: number }) {
    const written: string[] = [];
    return { written, progress: new Progress({ ...terminal, write: (text) => written.push(text) }) };
  }

  it('is a bar on a terminal, drawn over itself and taken away at the end', () => {
    const { written, progress } = started({ isTTY: true, columns: 100 });
    progress.report(step(1_234_567));
    vi.advanceTimersByTime(499);
    expect(written).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(written).toEqual([
      '\r\x1b[K[##############----------] reading orders: 1,234,567 of 2,000,000 messages (61 %)',
    ]);
    progress.report(step(2_500_000));
    vi.advanceTimersByTime(100);
    expect(written[1]).toBe(
      '\r\x1b[K[########################] reading orders: 2,500,000 of 2,000,000 messages (100 %)',
    );
    progress.end();
    vi.advanceTimersByTime(60_000);
    expect(written.slice(2)).toEqual(['\r\x1b[K']);
  });

  it('stays within the line, and has no bar where the end is not known', () => {
    const { written, progress } = started({ isTTY: true, columns: 20 });
    progress.report(step(7, null));
    vi.advanceTimersByTime(500);
    expect(written).toEqual(['\r\x1b[Kreading orders: 7 m']);
  });

  it('is a plain line every ten seconds without a terminal', () => {
    const { written, progress } = started({});
    vi.advanceTimersByTime(10_000);
    progress.report(step(999));
    progress.report(step(1_000));
    vi.advanceTimersByTime(10_000);
    progress.end();
    expect(written).toEqual(['reading orders: 1,000 of 2,000,000 messages (0 %)\n']);
  });

  it('shows nothing of short work', () => {
    const { written, progress } = started({ isTTY: true });
    progress.report(step(1));
    vi.advanceTimersByTime(400);
    progress.end();
    expect(written).toEqual([]);
  });
});
