import { isJsonMediaType } from '../../core/cloudevents.ts';
import { RelayError } from '../../core/errors.ts';

/** Writes a payload as the last member of the JSON object of an event: `,"data":...`. */
export type DataWriter = (payload: Buffer) => readonly (string | Buffer)[];

/**
 * How data stands in the JSON format (section 3.1.1): bytes in base64, JSON as it is, other text as a JSON string. JSON is
 * never read and written anew, so that numbers of any precision stay as Postgres prints them.
 *
 * @param type of the payload column, as `format_type()` prints it
 */
export function compileData(type: string, contentType: string, where: string): DataWriter {
  if (type === 'bytea') return (payload) => [`,"data_base64":"${payload.toString('base64')}"`];
  if (!isJsonMediaType(contentType)) return (payload) => [`,"data":${JSON.stringify(payload.toString())}`];
  if (type === 'json' || type === 'jsonb') return (payload) => [',"data":', payload];
  return (payload) => {
    requireJson(payload, contentType, where);
    return [',"data":', payload];
  };
}

/** Text that only says that it is JSON could end the envelope, and begin another. */
function requireJson(payload: Buffer, contentType: string, where: string): void {
  try {
    JSON.parse(payload.toString());
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    // Without its cause, which quotes the payload.
    throw new RelayError('route_cloudevent', `${where}: the payload is not the JSON that ${contentType} says it is`);
  }
}
