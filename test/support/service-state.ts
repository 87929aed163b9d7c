/** The services that tests use. */
export type ServiceName = 'postgres' | 'kafka' | 'rabbitmq';

/** Where a service was had from. */
export type ServiceSource = 'environment' | 'docker' | 'native';

/** A service that answers. */
export interface RunningService {
  /** Of Postgres and RabbitMQ a URL with account; of Kafka the brokers, `host:port,host:port`. */
  readonly url: string;
  readonly via: ServiceSource;
}

/** A service that is not to be had, and why. */
export interface MissingService {
  readonly missing: string;
}

/** What has become of one service. */
export type ServiceState = RunningService | MissingService;

/** What the tests get by `inject('services')`. */
export type Services = Readonly<Record<ServiceName, ServiceState>>;
