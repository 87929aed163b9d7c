import type { BrokerName } from '../brokers/broker.ts';
import { BROKER_FAULTS } from './broker.ts';
import type { Fault } from './fault.ts';
import { POSTGRES_FAULTS } from './postgres.ts';
import { RABBITMQ_FAULTS } from './rabbitmq.ts';
import { RELAY_FAULTS } from './relay.ts';
import { TABLE_FAULTS } from './table.ts';

const CATALOGUE = { ...RELAY_FAULTS, ...POSTGRES_FAULTS, ...BROKER_FAULTS, ...RABBITMQ_FAULTS, ...TABLE_FAULTS };

export type FaultName = keyof typeof CATALOGUE;

/** All faults, by name. */
export const FAULTS: Readonly<Record<FaultName, Fault>> = CATALOGUE;

export const FAULT_NAMES = Object.keys(CATALOGUE) as readonly FaultName[];

/** Those that can happen with a broker; those that say something about a peer too, if one is played. */
export function faultsFor(broker: BrokerName, peer = false): FaultName[] {
  const can = ({ brokers, ownOnly }: Fault): boolean => (brokers?.includes(broker) ?? true) && !(peer && ownOnly);
  return FAULT_NAMES.filter((name) => can(FAULTS[name]));
}
