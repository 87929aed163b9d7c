/** The cases, by the names that the command line knows. */
export const CASE_NAMES = ['drain', 'stream', 'latency', 'bulkhead'] as const;

export type CaseName = (typeof CASE_NAMES)[number];
