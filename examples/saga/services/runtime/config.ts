import { z } from 'zod';

const schema = z.object({
  DATABASE_URL: z.url(),
  AMQP_URL: z.url(),
  /** Where all services publish; their queues have its name before their own. */
  EXCHANGE: z.string().min(1),
  PORT: z.coerce.number().int(),
  STYLE: z.enum(['choreography', 'orchestration']),
  /** After so long an order that is not paid is cancelled. */
  ORDER_TIMEOUT_MS: z.coerce.number().int().positive(),
  PROVIDER_URL: z.url(),
  STOCK_URL: z.url(),
});

export type ServiceConfig = z.infer<typeof schema>;
export type Style = ServiceConfig['STYLE'];

/** What a service is told by its environment. @throws when something is missing */
export const readConfig = (): ServiceConfig => schema.parse(process.env);
