/** Writes a line about what has happened, for whoever collects them. */
export type Log = (event: string, facts?: Readonly<Record<string, unknown>>) => void;

export const log: Log = (event, facts = {}) => {
  const text = JSON.stringify({ time: new Date().toISOString(), event, facts }, (_, value: unknown) =>
    value instanceof Error ? `${value.name}: ${value.message}` : value,
  );
  process.stdout.write(`${text}\n`);
};
