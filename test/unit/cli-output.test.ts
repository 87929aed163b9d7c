import { describe, expect, it } from 'vitest';
import { createStyle } from '../../src/cli/output.ts';

describe('colours', () => {
  it.each([
    ['a terminal', { isTTY: true }, {}, true],
    ['a pipe', {}, {}, false],
    ['a dumb terminal', { isTTY: true }, { TERM: 'dumb' }, false],
    ['a terminal with NO_COLOR', { isTTY: true }, { NO_COLOR: '1' }, false],
    ['a terminal with an empty NO_COLOR', { isTTY: true }, { NO_COLOR: '' }, true],
    ['a pipe with FORCE_COLOR', {}, { FORCE_COLOR: '1' }, true],
    ['a pipe with FORCE_COLOR for a dumb terminal', {}, { FORCE_COLOR: '3', TERM: 'dumb' }, true],
    ['a terminal with FORCE_COLOR=0', { isTTY: true }, { FORCE_COLOR: '0' }, false],
    ['both', {}, { FORCE_COLOR: '1', NO_COLOR: '1' }, false],
  ] as const)('for %s', (_, stream, env, coloured) => {
    const { bad } = createStyle(stream, env);
    expect(bad('x')).toBe(coloured ? '\x1b[31mx\x1b[39m' : 'x');
  });
});
