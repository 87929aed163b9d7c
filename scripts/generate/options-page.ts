import { optionReference, type OptionReference, type SectionReference } from '../../src/config/index.ts';
import { generatedFrom, page, table } from './markdown.ts';

const INTRODUCTION = `The configuration is one YAML file, named with \`--config FILE\` or \`OUTBOX_RELAY_CONFIG\`. \`outbox-relay check --config FILE\`
examines it together with the database and the brokers. The smallest one that works:

\`\`\`yaml
# yaml-language-server: $schema=./outbox-relay.schema.json
postgres:
  url: \${DATABASE_URL}
destinations:
  kafka:
    type: kafka
    brokers: localhost:9092
\`\`\`

An option that does not exist is an error, and so is a value out of range: all of them are told at once, each with the
place in the file, what is expected, and never the value. Larger examples are in [config/](../config/).`;

const NOTATION = `## Notation

${table(
  ['Kind', 'Form', 'Examples'],
  [
    ['duration', 'a number and `ms`, `s`, `m`, `h` or `d`', '`250ms`, `1.5s`, `10s`, `5m`'],
    [
      'size',
      'a number and `B`, `kB`, `MB`, `GB` (powers of 1000) or `KiB`, `MiB`, `GiB` (powers of 1024)',
      '`500kB`, `16MiB`, `1GiB`',
    ],
    ['template', 'text in which `${column}` stands for the value of a column', '`outbox.event.${aggregatetype}`'],
  ],
)}

Templates name the columns of the outbox by their role, whatever they are called in the table: \`aggregatetype\`,
\`aggregateid\`, \`type\`, \`created_at\`; any other column by its own name.`;

const ENVIRONMENT = `## Environment and secrets

Inside any value of the file:

${table(
  ['Placeholder', 'Becomes'],
  [
    ['`${NAME}`', 'the environment variable; an error when it is not set'],
    ['`${NAME:-default}`', 'the variable, or `default` when it is not set or empty'],
    [
      '`${env:NAME}`, `${env:NAME:-default}`',
      'the same; the form to use in the templates and matches of routes, where `${name}` is a column',
    ],
    ['`${file:/run/secrets/password}`', "the file's content, without the newline at its end"],
    ['`$${`', 'a literal `${`'],
  ],
)}

Options outside of \`destinations\` and \`routes\` can also be set by a variable of their own, which goes before the file:
\`OUTBOX_RELAY_\` and the path in capitals, so that \`capture.pollInterval\` is \`OUTBOX_RELAY_CAPTURE_POLL_INTERVAL\`. An empty
variable counts as not set. In Kubernetes, set \`enableServiceLinks: false\` on the pod, so that a Service with a like name
does not set such variables.`;

/** `docs/options.md`. */
export function optionsPage(): string {
  return page(
    generatedFrom('src/config/schema'),
    '# Options',
    INTRODUCTION,
    NOTATION,
    ENVIRONMENT,
    ...optionReference().map(section),
  );
}

function section({ title, description, options }: SectionReference): string {
  const rows = options.map((option) => [`\`${name(option, title)}\``, option.type, fallback(option), text(option)]);
  return page(
    `## \`${title}\``,
    ...(description === '' ? [] : [description]),
    table(['Option', 'Type', 'Default', 'Meaning'], rows),
  ).trimEnd();
}

/** An option's name within its section: the heading says the rest. */
function name({ path }: OptionReference, title: string): string {
  const prefix = title.startsWith('destinations') || title.endsWith('[]') ? 2 : 1;
  const inner = path.length > prefix ? path.slice(prefix) : path;
  return inner.join('.').replaceAll('.[]', '[]');
}

function fallback(option: OptionReference): string {
  if (option.required) return '**required**';
  if (option.default === null) return '';
  return option.default === '' ? '`""`' : `\`${option.default}\``;
}

const text = ({ description, secret }: OptionReference): string =>
  secret ? `${description} Secret: never printed.` : description;
