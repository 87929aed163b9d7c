import type { Config } from './schema/config.ts';

const REDACTED = '[redacted]';

/** The configuration for printing: without passwords and keys; certificates by their size only. */
export function redactConfig(config: Config): unknown {
  return redact(config, null, null);
}

function redact(value: unknown, name: string | null, section: string | null): unknown {
  if (Array.isArray(value)) return value.map((item) => redact(item, null, name));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, redact(inner, key, name)]));
  }
  if (typeof value !== 'string' || name === null) return value;
  if (name === 'managementUrl') return withoutLogin(value);
  if (name === 'password') return REDACTED;
  if (section !== 'tls') return value;
  if (name === 'key') return REDACTED;
  return name === 'ca' || name === 'cert' ? `[PEM, ${Buffer.byteLength(value)} bytes]` : value;
}

function withoutLogin(text: string): string {
  if (!URL.canParse(text)) return REDACTED;
  const url = new URL(text);
  if (url.username !== '') url.username = '***';
  if (url.password !== '') url.password = '***';
  return url.toString();
}
