import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const MODULE = new URL('../../src/cli/heap.ts', import.meta.url).href;

/** Makes objects that live for a while, as rows in flight do, and tells the young generation's half in MiB. */
const GROWING = `
  const { getHeapSpaceStatistics } = await import('node:v8');
  const kept = [];
  for (let round = 0; round < 150; round++) {
    for (let i = 0; i < 20_000; i++) kept[i % 9_000] = { i, text: 'x' + i, list: [i] };
    await new Promise((resolve) => setImmediate(resolve));
  }
  const space = getHeapSpaceStatistics().find((one) => one.space_name === 'new_space');
  console.log((space.space_used_size + space.space_available_size) / 1024 / 1024);
`;

async function youngMebibytes(script: string): Promise<number> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '--eval', script],
    { cwd: fileURLToPath(new URL('../..', import.meta.url)) },
  );
  return Number(stdout);
}

describe('the limits of the heap', () => {
  it('keep the young generation at half of what V8 would let it grow to', async () => {
    const limited = `const { limitHeap } = await import('${MODULE}'); limitHeap();`;
    expect(await youngMebibytes(limited + GROWING)).toBeLessThanOrEqual(8);
    expect(await youngMebibytes(GROWING)).toBeGreaterThan(15);
  });
});
