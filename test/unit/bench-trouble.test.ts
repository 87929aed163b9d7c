import { describe, expect, it } from 'vitest';
import type { Broker } from '../bench/brokers/broker.ts';
import { troubleOf } from '../bench/trouble.ts';

/** Notes what is done to it. */
function notingBroker(): Broker & { readonly notes: readonly string[] } {
  const notes: string[] = [];
  const note = (what: string) => () => {
    notes.push(what);
    return Promise.resolve();
  };
  return {
    notes,
    name: 'kafka',
    title: 'a broker',
    openSink: () => Promise.reject(new Error('takes nothing')),
    ...{ stop: note('stop'), restart: note('restart'), pause: note('pause'), resume: note('resume') },
    dispose: note('dispose'),
  };
}

describe('trouble with the broker', () => {
  it('lets it go on when the run is over in the middle of a halt', async () => {
    const broker = notingBroker();
    const trouble = troubleOf('slow', broker);
    await trouble.begin();
    await trouble.goOn();
    await trouble.end();
    expect(broker.notes).toEqual(['pause', 'resume']);
  });

  it('brings it back once when the run fails before its time is over', async () => {
    const broker = notingBroker();
    const trouble = troubleOf('dead', broker);
    await trouble.begin();
    await trouble.end();
    await trouble.end();
    expect(broker.notes).toEqual(['stop', 'restart']);
  });

  it('leaves it alone when there is none', async () => {
    const broker = notingBroker();
    const trouble = troubleOf('none', broker);
    await trouble.begin();
    await trouble.goOn();
    await trouble.end();
    expect(broker.notes).toEqual([]);
  });
});
