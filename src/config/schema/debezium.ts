import { z } from 'zod';
import { choice, flag, section, text } from './scalars.ts';

const format = (what: string) =>
  choice(['plain', 'json'])
    .describe(`${what} \`plain\`: as StringConverter. \`json\`: as JsonConverter without schemas.`)
    .prefault('plain');

/** The `debezium:` section of a route. */
export const debeziumSchema = section({
  key: format('How the key is written.'),
  value: format('How the value is written.'),
  headers: format('How the headers of the route, and the header `id`, are written.'),
  expandJson: flag()
    .describe(
      'Whether a payload that is a JSON object or array is sent as such (`table.expand.json.payload`), not as a string of JSON; with `value: json`.',
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
      'Columns that stand beside `payload` in the value (placement `envelope`), by the name there; with `value: json`. Empty: the value is the payload alone.',
    )
    .prefault({}),
  tombstoneOnEmpty: flag()
    .describe('Whether a payload without a value, or of nothing but blanks, is a tombstone in every format.')
    .prefault(false),
  nullValue: text('a text')
    .nullable()
    .describe('RabbitMQ: the body of a message that would be a tombstone (`null.value`). Null: an empty one.')
    .prefault(null),
})
  .superRefine(({ value, expandJson, envelope }, context) => {
    if (value === 'json') return;
    const message = 'is for value: json: there is no other form for it';
    if (expandJson) context.addIssue({ code: 'custom', path: ['expandJson'], message });
    if (Object.keys(envelope).length > 0) context.addIssue({ code: 'custom', path: ['envelope'], message });
  })
  .nullable()
  .describe(
    "Messages as Debezium's outbox event router makes them, without the header `type` unless the route adds it. Null: the relay's own, the payload as it is.",
  )
  .prefault(null);
