/** Opens a stream and goes on until it is killed; says so once it streams. */
import { streamSource } from '../../src/capture/stream/stream-source.ts';
import { Recorder, streamOptions } from './stream-harness.ts';

const [url = ''] = process.argv.slice(2);
await streamSource(streamOptions(url)).open(new Recorder(), new AbortController().signal);
process.send?.('streaming');
