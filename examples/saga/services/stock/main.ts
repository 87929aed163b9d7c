/** The stock service: what is on hand, and what is held for orders. */
import { readConfig } from '../runtime/config.ts';
import { runService } from '../runtime/service.ts';
import { choreography, orchestration } from './reactions.ts';
import { soldOut } from './stock.ts';

const config = readConfig();

await runService('stock', config, (pool) => ({
  reactions: { choreography, orchestration }[config.STYLE],
  endpoints: {
    'GET /availability': async (url) => ({
      status: 200,
      body: { soldOut: await soldOut(pool, url.searchParams.getAll('sku')) },
    }),
  },
}));
