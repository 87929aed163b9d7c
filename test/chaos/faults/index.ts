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

/** Those of `names` that can happen with a broker. */
export function faultsFor(broker: BrokerName, names: readonly FaultName[] = FAULT_NAMES): FaultName[] {
  return names.filter((name) => FAULTS[name].brokers?.includes(broker) ?? true);
}
