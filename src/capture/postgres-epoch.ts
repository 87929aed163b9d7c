/** Where Postgres's timestamps begin, 2000-01-01 UTC, in milliseconds since 1970. */
export const POSTGRES_EPOCH_MS = 946_684_800_000;
