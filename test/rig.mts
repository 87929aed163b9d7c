import { startPostgres } from './support/services/postgres.ts';
import { startKafka } from './support/services/kafka.ts';
import { writeFileSync } from 'node:fs';
const server = await startPostgres({ version: '18' } as never);
const kafka = await startKafka({} as never);
console.log(Object.keys(server), Object.keys(kafka), (server as any).url, JSON.stringify(kafka).slice(0,600));
writeFileSync('/tmp/rig/env.json', JSON.stringify({ url: (server as any).url, kafka }));
process.on('SIGTERM', async () => { await kafka.stop(); await server.stop('fast'); process.exit(0); });
setInterval(() => {}, 1e6);
