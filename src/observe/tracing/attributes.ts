import type { Address, OutgoingMessage } from '../../core/message.ts';

/** The kinds of destinations, as `messaging.system` names them. */
export type MessagingSystem = 'kafka' | 'rabbitmq' | 'console';

/** Attributes by name. */
export type SpanAttributes = Record<string, string | number | boolean>;

/**
 * Attributes and names as OpenTelemetry's conventions for messaging ask for. The package with their names is not used: it
 * has those of these conventions only in a part that may change with any release.
 *
 * https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
 */
export function messageAttributes(system: MessagingSystem, message: OutgoingMessage): SpanAttributes {
  const { row, key, body } = message;
  const attributes: SpanAttributes = {
    ...addressAttributes(message.address),
    'messaging.message.id': row.id,
    'outbox_relay.lane': row.lane,
    'outbox_relay.position': String(row.position),
  };
  if (message.type !== null) attributes['outbox_relay.event_type'] = message.type;
  if (system === 'kafka') {
    if (key !== null) attributes['messaging.kafka.message.key'] = key;
    if (body === null) attributes['messaging.kafka.message.tombstone'] = true;
  }
  return attributes;
}

/** Where it goes. Of RabbitMQ both, as the conventions have it: `exchange:routing key`, or the one that is not empty. */
export function addressAttributes(address: Address): SpanAttributes {
  if (address.kind === 'topic') return { 'messaging.destination.name': address.topic };
  const { exchange, routingKey } = address;
  const name = [exchange, routingKey].filter((part) => part !== '').join(':');
  return {
    'messaging.destination.name': name === '' ? 'amq.default' : name,
    ...(routingKey === '' ? {} : { 'messaging.rabbitmq.destination.routing_key': routingKey }),
  };
}

/** The operation and its object; of an exchange without the routing key, of which there may be any number. */
export function spanName(operation: string, address: Address | null): string {
  if (address === null) return operation;
  if (address.kind === 'topic') return `${operation} ${address.topic}`;
  return `${operation} ${address.exchange === '' ? address.routingKey : address.exchange}`;
}
