import { describe, expect, it } from 'vitest';
import type { ParkedMark } from '../../src/core/store.ts';
import { ParkedKeys } from '../../src/relay/parked-keys.ts';

const mark = (position: bigint, key: string | null): ParkedMark => ({
  position,
  id: `id-${position}`,
  destination: 'd',
  key,
  code: 'message_too_large',
  reason: '',
  attempts: 1,
});

const leavesOut = (parked: ParkedKeys, position: bigint, key: string | null): boolean =>
  parked.leavesOut({ position, id: `id-${position}` }, key);

describe('parked keys', () => {
  it('leave out the row and everything of its key; a row without a key only itself', () => {
    const parked = new ParkedKeys();
    parked.park(mark(1n, 'a'));
    parked.park(mark(2n, null));
    expect(leavesOut(parked, 9n, 'a')).toBe(true);
    expect(leavesOut(parked, 9n, 'b')).toBe(false);
    expect(leavesOut(parked, 2n, null)).toBe(true);
    expect(leavesOut(parked, 9n, null)).toBe(false);
  });

  it('are released by a removed mark only when the next pass begins', () => {
    const parked = new ParkedKeys();
    parked.read(parked.beginReading(), [mark(1n, 'a'), mark(2n, 'b')]);
    expect(parked.read(parked.beginReading(), [mark(2n, 'b')])).toBe(1);
    expect(leavesOut(parked, 9n, 'a')).toBe(true);
    parked.applyReleases();
    expect([leavesOut(parked, 9n, 'a'), leavesOut(parked, 9n, 'b')]).toEqual([false, true]);
  });

  it('are not released while their mark is being written, nor by a reading that began before it was', () => {
    const parked = new ParkedKeys();
    parked.park(mark(1n, 'a'));
    expect(parked.read(parked.beginReading(), [])).toBe(0);
    const began = parked.beginReading();
    parked.written(mark(1n, 'a'));
    expect(parked.read(began, [])).toBe(0);
    expect(parked.read(parked.beginReading(), [])).toBe(1);
  });

  it('hold a key as long as one of its rows is parked', () => {
    const parked = new ParkedKeys();
    parked.read(parked.beginReading(), [mark(1n, 'a'), mark(2n, 'a')]);
    parked.read(parked.beginReading(), [mark(2n, 'a')]);
    parked.applyReleases();
    expect(leavesOut(parked, 9n, 'a')).toBe(true);
    parked.read(parked.beginReading(), []);
    parked.applyReleases();
    expect(leavesOut(parked, 9n, 'a')).toBe(false);
    expect(parked.size).toBe(0);
  });

  it('let a key go on at the next pass once its row needs no mark, whatever a reading says meanwhile', () => {
    const parked = new ParkedKeys();
    parked.park(mark(1n, 'a'));
    const began = parked.beginReading();
    parked.releaseLater(mark(1n, 'a'));
    parked.releaseLater(mark(2n, 'a'));
    expect(leavesOut(parked, 9n, 'a')).toBe(true);
    expect(parked.read(began, [])).toBe(1);
    parked.applyReleases();
    expect([leavesOut(parked, 9n, 'a'), parked.size]).toEqual([false, 0]);
  });

  it('know whether all marks are in the table', () => {
    const parked = new ParkedKeys();
    parked.read(parked.beginReading(), [mark(1n, 'a')]);
    expect(parked.allWritten).toBe(true);
    parked.park(mark(2n, 'b'));
    parked.park(mark(3n, 'c'));
    parked.written(mark(2n, 'b'));
    parked.written(mark(2n, 'b'));
    expect(parked.allWritten).toBe(false);
    parked.releaseLater(mark(3n, 'c'));
    expect(parked.allWritten).toBe(true);
    parked.park(mark(4n, 'd'));
    parked.written(mark(4n, 'd'));
    expect(parked.allWritten).toBe(true);
  });
});
