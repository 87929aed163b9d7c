import { z } from 'zod';
import type { Renewable } from '../../core/renewal.ts';
import { adminSchema } from './admin.ts';
import { captureSchema } from './capture.ts';
import { consoleSchema } from './destinations/console.ts';
import { kafkaSchema } from './destinations/kafka.ts';
import { rabbitmqSchema } from './destinations/rabbitmq.ts';
import { postgresSchema } from './postgres.ts';
import {
  leaderSchema,
  limitsSchema,
  logSchema,
  publishedSchema,
  shardBySchema,
  shardsSchema,
  shutdownSchema,
} from './process.ts';
import { routeSchema, type RouteConfig } from './routes.ts';
import { oneOf, section } from './scalars.ts';
import { tableSchema } from './table.ts';
import { tracingSchema } from './tracing.ts';

const DESTINATION_NAME = /^[A-Za-z][A-Za-z0-9_-]{0,62}$/;

export const DESTINATION_TYPES = ['kafka', 'rabbitmq', 'console'] as const;
export type DestinationType = (typeof DESTINATION_TYPES)[number];

/** One entry of `destinations:`, told apart by `type`. */
export const destinationSchema = z.discriminatedUnion('type', [kafkaSchema, rabbitmqSchema, consoleSchema], {
  error: ({ input }) =>
    typeof input === 'object' && input !== null
      ? `expected ${oneOf(DESTINATION_TYPES)}`
      : 'expected a section with a type',
});

const destinations = z
  .record(z.string().regex(DESTINATION_NAME), destinationSchema, {
    error: (issue) =>
      issue.code === 'invalid_key'
        ? 'expected a name of letters, digits, - and _ that begins with a letter'
        : 'is missing: expected at least one destination, such as { kafka: { type: kafka, brokers: [localhost:9092] } }',
  })
  .refine((given) => Object.keys(given).length > 0, 'expected at least one destination')
  .describe('Where messages go, by names of your own choosing; routes refer to them.');

const routes = z
  .array(routeSchema, { error: () => 'expected a list of routes' })
  .describe(
    'Which rows go where: the first route that matches takes a row. Without any, all rows go to the only destination.',
  )
  .prefault([]);

/** The whole configuration file. */
export const configSchema = section({
  postgres: postgresSchema,
  table: tableSchema,
  capture: captureSchema,
  limits: limitsSchema,
  destinations,
  routes,
  published: publishedSchema,
  leader: leaderSchema,
  shards: shardsSchema,
  shardBy: shardBySchema,
  admin: adminSchema,
  log: logSchema,
  tracing: tracingSchema,
  shutdown: shutdownSchema,
});

/** What the schema makes of a file, before routes are resolved and certificate files are read. */
export type Settings = z.output<typeof configSchema>;

type DeepReadonly<T> = T extends (...args: never[]) => unknown
  ? T
  : T extends readonly (infer Item)[]
    ? readonly DeepReadonly<Item>[]
    : T extends object
      ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
      : T;

type WithRenewal<Destination> = Destination extends { type: 'kafka'; tls: unknown; sasl: unknown }
  ? Destination & Renewable<Pick<Destination, 'tls' | 'sasl'>>
  : Destination extends { type: 'rabbitmq'; user: unknown; password: unknown; tls: unknown }
    ? Destination & Renewable<Pick<Destination, 'user' | 'password' | 'tls'>>
    : Destination;

/** The configuration: validated, complete and frozen. Durations are in milliseconds, sizes in bytes. */
export type Config = DeepReadonly<
  Omit<Settings, 'routes' | 'destinations' | 'admin'> & {
    destinations: Readonly<Record<string, WithRenewal<Settings['destinations'][string]>>>;
    routes: RouteConfig[];
    admin: Settings['admin'] & Renewable<Pick<Settings['admin'], 'token' | 'tls'>>;
    /** What is permitted and yet probably not meant; to be logged at start. */
    warnings: string[];
  }
>;

/** The columns of the table, each with its name or null. */
export type ColumnsConfig = Config['table']['columns'];

/** One destination. */
export type DestinationConfig = Config['destinations'][string];
export type KafkaConfig = Extract<DestinationConfig, { type: 'kafka' }>;
export type RabbitmqConfig = Extract<DestinationConfig, { type: 'rabbitmq' }>;
