/** Writes the files that are made from the source; with `--check` only tells which of them are out of date. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { commandsPage } from './generate/commands-page.ts';
import { dashboardFile } from './generate/dashboard-file.ts';
import { errorsPage } from './generate/errors-page.ts';
import { exitCodesPage } from './generate/exit-codes-page.ts';
import { metricsPage } from './generate/metrics-page.ts';
import { optionsPage } from './generate/options-page.ts';
import { schemaFile } from './generate/schema-file.ts';
import { valuesSchemaFile } from './generate/values-schema-file.ts';

const GENERATED: readonly { readonly path: string; readonly make: (path: string) => string | Promise<string> }[] = [
  { path: 'config/outbox-relay.schema.json', make: schemaFile },
  { path: 'docs/options.md', make: optionsPage },
  { path: 'docs/errors.md', make: errorsPage },
  { path: 'docs/metrics.md', make: metricsPage },
  { path: 'docs/commands.md', make: commandsPage },
  { path: 'docs/exit-codes.md', make: exitCodesPage },
  { path: 'helm/outbox-relay/dashboards/outbox-relay.json', make: dashboardFile },
  { path: 'helm/outbox-relay/values.schema.json', make: valuesSchemaFile },
];

const onlyCheck = process.argv.includes('--check');
const outdated: string[] = [];

for (const { path, make } of GENERATED) {
  const file = fileURLToPath(new URL(`../${path}`, import.meta.url));
  const content = await make(file);
  if (existsSync(file) && readFileSync(file, 'utf8') === content) continue;
  outdated.push(path);
  if (!onlyCheck) writeFileSync(file, content);
}

if (outdated.length > 0)
  console.log(`${onlyCheck ? 'out of date (npm run generate)' : 'written'}: ${outdated.join(', ')}`);
if (onlyCheck && outdated.length > 0) process.exitCode = 1;
