import { createInterface } from 'node:readline/promises';

/**
 * Asks on the terminal whether to go on. An end of the input means no.
 *
 * @returns null when there is no terminal to ask on
 */
export async function confirm(question: string): Promise<boolean | null> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return null;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const ended = new AbortController();
  terminal.once('close', () => ended.abort());
  // a terminal that is being read from hands Ctrl-C over as a character
  terminal.once('SIGINT', () => process.emit('SIGINT', 'SIGINT'));
  try {
    const answer = await terminal.question(`${question} [y/N] `, { signal: ended.signal });
    return /^y(es)?$/i.test(answer.trim());
  } catch (error) {
    if (ended.signal.aborted) return false;
    throw error;
  } finally {
    terminal.close();
  }
}
