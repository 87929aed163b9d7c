import type pg from 'pg';
import { RelayError } from '../../core/errors.ts';
import type { Finding } from '../../core/finding.ts';
import { query, readCatalogTable } from '../catalog.ts';
import { inspectTable, outboxTable } from '../table.ts';
import { checkPublications, checkSharding } from './publication.ts';
import { type CheckContext, type CheckSubject, failed, ok } from './result.ts';
import { checkCompanions, checkForeignDeleters, checkPrivileges } from './role.ts';
import { checkDirect, checkReplicationRole, checkReplicationSettings, checkServer } from './server.ts';
import { checkDeleteHindrances, checkIdColumn, checkOrderColumn, checkRowSecurity, checkWhole } from './table.ts';

export type { CheckContext } from './result.ts';

/**
 * Examines the database for all that the relay relies on. Changes nothing.
 *
 * @param client a session of the role that the relay will run as
 * @returns what was found, faults and what is in order alike; each fault with the statement or setting that mends it
 * @throws RelayError `postgres_*` when the database stops answering
 */
export async function checkPostgres(client: pg.Client, context: CheckContext): Promise<Finding[]> {
  const { findings, version } = await checkServer(client);
  if (findings.some((finding) => finding.status === 'error')) return findings;
  findings.push(...(await checkDirect(context)));
  const subject = await findTable(client, context, version);
  if (!('client' in subject)) return [...findings, subject];
  findings.push(ok('table', `${subject.table.schema}.${subject.table.name} has all configured columns`));
  const checks = [
    checkOrderColumn,
    checkIdColumn,
    checkWhole,
    checkRowSecurity,
    checkDeleteHindrances,
    checkSharding,
    // Before the privileges: on a table that is missing nobody has any.
    checkCompanions,
    checkPrivileges,
    checkForeignDeleters,
    ...(context.captureMode === 'polling' ? [] : [checkReplicationSettings, checkReplicationRole, checkPublications]),
  ];
  for (const check of checks) findings.push(...(await check(subject)));
  return findings;
}

/** The table and the role, which all further checks are about; a finding where the table is not as configured. */
async function findTable(client: pg.Client, context: CheckContext, version: number): Promise<CheckSubject | Finding> {
  const [role] = await query<{ name: string }>(client, 'SELECT current_user AS name');
  const table = await readCatalogTable(client, context.mapping);
  try {
    if (table === null) await inspectTable(client, context.mapping);
    else outboxTable(table, context.mapping);
  } catch (error) {
    if (!(error instanceof RelayError) || error.code !== 'postgres_schema') throw error;
    return failed('table', error.message, error.remedy);
  }
  if (table === null || role === undefined) throw new RelayError('internal', 'the outbox table came and went');
  return { ...context, client, version, role: role.name, table };
}
