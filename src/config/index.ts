/** The configuration: one YAML file and the environment, validated into a frozen {@link Config}. */
export { defaultPublication, parseConnection, parseTable } from './standalone.ts';
export { configJsonSchema } from './json-schema.ts';
export { loadConfig, type ConfigSources } from './load.ts';
export { redactConfig } from './redact.ts';
export { optionReference, type OptionReference, type SectionReference } from './reference.ts';
export type {
  ColumnsConfig,
  Config,
  DestinationConfig,
  DestinationType,
  KafkaConfig,
  RabbitmqConfig,
} from './schema/config.ts';
export type { PostgresConfig } from './schema/postgres.ts';
export type { AddressTemplates, RouteConfig } from './schema/routes.ts';
