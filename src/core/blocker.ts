import type { BlockingTransaction } from './status.ts';

/** A transaction that a slot waits for: which, whose, and for how long. */
export function blockerText({ xid, pid, gid, applicationName, role, database, ...age }: BlockingTransaction): string {
  const whose = gid === null ? `transaction ${xid} of process ${pid ?? '?'}` : `prepared transaction '${gid}' (${xid})`;
  const details = [
    ...(applicationName ? [`application ${applicationName}`] : []),
    ...(role === null ? [] : [`role ${role}`]),
    ...(database === null ? [] : [`database ${database}`]),
    `for ${age.ageIsLowerBound ? 'at least ' : ''}${Math.round(age.ageSeconds)} s`,
  ];
  return `${whose}: ${details.join(', ')}`;
}
