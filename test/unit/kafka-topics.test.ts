import { describe, expect, it } from 'vitest';
import { Topics } from '../../src/publish/kafka/topics.ts';

const SIGNAL = new AbortController().signal;

/** A cluster without topics, and what it was asked for. */
function emptyCluster(): { topics: Topics; asked: string[] } {
  const asked: string[] = [];
  const describe = (name: string): Promise<null> => {
    asked.push(name);
    return Promise.resolve(null);
  };
  return { topics: new Topics({ describe }, 1_000, () => 0, 0), asked };
}

describe('topics that rows name', () => {
  it('are asked for once while they are remembered as missing', async () => {
    const { topics, asked } = emptyCluster();
    for (const name of ['a', 'b', 'a']) {
      expect(await topics.resolve(name, SIGNAL)).toMatchObject({ code: 'message_unroutable' });
    }
    expect(asked).toEqual(['a', 'b']);
  });

  it('are forgotten beyond a thousand, the oldest first: rows may name any number', async () => {
    const { topics, asked } = emptyCluster();
    for (let n = 0; n <= 1_000; n++) await topics.resolve(`topic-${n}`, SIGNAL);
    asked.length = 0;
    for (const name of ['topic-1000', 'topic-1', 'topic-0']) await topics.resolve(name, SIGNAL);
    expect(asked).toEqual(['topic-0']);
  });

  it.each(['', '.', '..', 'a b', 'a/b', 'ä', 'a\nb', 'a\0b', '\ud800', 'x'.repeat(250), 'x'.repeat(1_000_000)])(
    'are refused without asking where Kafka has no such names (%#), in few words',
    async (name) => {
      const { topics, asked } = emptyCluster();
      const fault = await topics.resolve(name, SIGNAL);
      expect(fault?.code).toBe('message_invalid');
      expect(fault?.message.length).toBeLessThan(200);
      expect(asked).toEqual([]);
    },
  );
});
