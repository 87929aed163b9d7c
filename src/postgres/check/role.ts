import type { Finding } from '../../core/finding.ts';
import { companionTables, quoteIdentifier, quoteTable } from '../identifier.ts';
import { LATEST_VERSION, schemaState } from '../migrate.ts';
import { grantStatements, missingPrivileges, type Privilege, relayPrivileges } from '../privileges.ts';
import { query } from '../catalog.ts';
import { type CheckSubject, failed, ok, warned } from './result.ts';

/** Every privilege that the relay's role lacks, one finding each. */
export async function checkPrivileges({
  client,
  mapping,
  role,
  keepsPublished = true,
}: CheckSubject): Promise<Finding[]> {
  const needed = relayPrivileges(mapping, keepsPublished);
  const missing = await missingPrivileges(client, role, needed);
  if (missing.length === 0) return [ok('privileges', `${role} has all ${needed.length} privileges that it needs`)];
  return missing.map((privilege) =>
    failed(
      'privileges',
      `${role} lacks ${privilegeText(privilege)}, needed for ${privilege.neededFor}`,
      grantStatements([privilege], role).join('\n'),
    ),
  );
}

function privilegeText({ kind, privilege, on }: Privilege): string {
  return kind === 'schema' ? `${privilege} on schema ${on.schema}` : `${privilege} on ${on.schema}.${on.name}`;
}

/** Who else may delete: only the relay should, or rows vanish that were never published. */
export async function checkForeignDeleters({ client, table, role }: CheckSubject): Promise<Finding[]> {
  const rows = await query<{ grantee: string | null; privilege: 'DELETE' | 'TRUNCATE' }>(
    client,
    `SELECT g.rolname AS grantee, a.privilege_type AS privilege
     FROM pg_class c CROSS JOIN aclexplode(c.relacl) a LEFT JOIN pg_roles g ON g.oid = a.grantee
     WHERE c.oid = $1 AND a.privilege_type IN ('DELETE', 'TRUNCATE') AND a.grantee <> c.relowner
       AND g.rolname IS DISTINCT FROM $2 ORDER BY 1, 2`,
    [table.oid, role],
  );
  if (rows.length === 0) return [ok('deleters', 'no other role has been granted DELETE or TRUNCATE')];
  return rows.map(({ grantee, privilege }) =>
    warned(
      'deleters',
      `${grantee ?? 'PUBLIC'} may ${privilege} outbox rows, also before they are published`,
      `REVOKE ${privilege} ON TABLE ${quoteTable(table)} FROM ${grantee === null ? 'PUBLIC' : quoteIdentifier(grantee)};`,
    ),
  );
}

/** The relay's own tables, in the version that this relay works with. */
export async function checkCompanions({ client, mapping }: CheckSubject): Promise<Finding[]> {
  // Without this privilege nothing can be said, and checkPrivileges says so.
  if (!(await mayReadVersion(client, mapping))) return [];
  const { pending, version } = await schemaState(client, mapping);
  if (version > LATEST_VERSION) {
    const message = `the relay's tables are of version ${version}, made by a newer relay than this one (${LATEST_VERSION})`;
    return [warned('schema_version', message, 'Run the newer relay.')];
  }
  if (pending.length === 0) return [ok('schema_version', `the relay's tables are of version ${version}`)];
  return pending.map(({ name, sql }) => failed('schema_version', `migration ${name} has not been applied`, sql));
}

async function mayReadVersion(client: CheckSubject['client'], mapping: CheckSubject['mapping']): Promise<boolean> {
  const { schemaVersion } = companionTables(mapping);
  const [row] = await query<{ may: boolean }>(
    client,
    `SELECT has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS may
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2`,
    [schemaVersion.schema, schemaVersion.name],
  );
  return row?.may !== false;
}
