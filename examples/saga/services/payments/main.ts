/** The payment service: what orders owe, and what the provider has done about it. */
import { readConfig } from '../runtime/config.ts';
import { runService } from '../runtime/service.ts';
import { Collector } from './collector.ts';
import { Provider } from './provider.ts';
import { choreography, orchestration } from './reactions.ts';

const config = readConfig();

await runService('payments', config, (pool) => {
  const style = { choreography, orchestration }[config.STYLE];
  const collector = new Collector(pool, new Provider(config.PROVIDER_URL), style.reversed);
  return { reactions: style.reactions, endpoints: {}, chore: () => collector.collect() };
});
