import { z } from 'zod';
import { parseTemplate } from '../../core/template.ts';
import { choice, flag, section, template, text } from './scalars.ts';

const format = (what: string) =>
  choice(['plain', 'json', 'json-with-schema'])
    .describe(
      `${what} \`plain\`: as StringConverter. \`json\`: as JsonConverter without schemas. \`json-with-schema\`: as JsonConverter with \`schemas.enable=true\`, its default.`,
    )
    .prefault('plain');

/** The `debezium:` section of a route. */
export const debeziumSchema = section({
  key: format('How the key is written.'),
  value: format('How the value is written.'),
  headers: format('How the headers of the route, and the header `id`, are written.'),
  expandJson: flag()
    .describe(
      'Whether a payload that is a JSON object or array is sent as such (`table.expand.json.payload`), not as a string of JSON; not with `value: plain`.',
    )
    .prefault(false),
  expandedNulls: choice(['omit', 'keep'])
    .describe(
      'Members that are null in an expanded payload: left out (`table.json.payload.null.behavior=ignore`) or kept (`optional_bytes`).',
    )
    .prefault('omit'),
  envelope: z
    .record(z.string().min(1), text('the name of a column'), { error: () => 'expected names with columns' })
    .describe(
      'Columns that stand beside `payload` in the value (placement `envelope`), by the name there; not with `value: plain`. Empty: the value is the payload alone.',
    )
    .prefault({}),
  envelopeSchema: template('a template')
    .refine(namesNoHeader, 'expected columns only: no header can stand here')
    .nullable()
    .describe(
      'Name of the schema of a value with an envelope, a template such as `shop.public.outbox.${aggregatetype}.Value`: topic prefix, schema and table as Debezium has them, the column of `route.by.field`. For `value: json-with-schema`, which needs it where there is an envelope.',
    )
    .prefault(null),
  tombstoneOnEmpty: flag()
    .describe('Whether a payload without a value, or of nothing but blanks, is a tombstone in every format.')
    .prefault(false),
  nullValue: text('a text')
    .nullable()
    .describe('RabbitMQ: the body of a message that would be a tombstone (`null.value`). Null: an empty one.')
    .prefault(null),
})
  .superRefine(({ value, expandJson, envelope, envelopeSchema }, context) => {
    const refuse = (option: string, message: string): void =>
      context.addIssue({ code: 'custom', path: [option], message });
    const enveloped = Object.keys(envelope).length > 0;
    const named = envelopeSchema !== null;
    if (value === 'plain') {
      const message = 'is for value: json or json-with-schema: there is no other form for it';
      if (expandJson) refuse('expandJson', message);
      if (enveloped) refuse('envelope', message);
    }
    const needed = value === 'json-with-schema' && enveloped;
    if (needed && !named)
      refuse(
        'envelopeSchema',
        'is missing: with value: json-with-schema an envelope has a schema with a name, such as shop.public.outbox.${aggregatetype}.Value',
      );
    if (named && !needed) refuse('envelopeSchema', 'is for value: json-with-schema with an envelope: take it out');
  })
  .nullable()
  .describe(
    "Messages as Debezium's outbox event router makes them, without the header `type` unless the route adds it. Null: the relay's own, the payload as it is.",
  )
  .prefault(null);

/** Also true of what is no template: that has been told already. */
function namesNoHeader(given: string): boolean {
  try {
    return parseTemplate(given).every((part) => typeof part === 'string' || part.header === null);
  } catch {
    return true;
  }
}
