import type { Config } from './schema/config.ts';

const REDACTED = '[redacted]';
const SECRETS: ReadonlySet<string> = new Set(['password', 'passphrase', 'token', 'clientSecret']);
const CERTIFICATES: ReadonlySet<string> = new Set(['ca', 'cert', 'clientCa']);

/** The configuration for printing: without passwords and keys; certificates by their size only. */
export function redactConfig(config: Config): unknown {
  const { tracing } = config;
  const headers = Object.fromEntries(Object.keys(tracing.headers).map((name) => [name, REDACTED]));
  return redact({ ...config, tracing: { ...tracing, headers } }, null, null);
}

function redact(value: unknown, name: string | null, section: string | null): unknown {
  if (Array.isArray(value)) return value.map((item) => redact(item, null, name));
  if (typeof value === 'object' && value !== null) {
    const printable = Object.entries(value).filter(([, inner]) => typeof inner !== 'function');
    return Object.fromEntries(printable.map(([key, inner]) => [key, redact(inner, key, name)]));
  }
  if (typeof value !== 'string' || name === null) return value;
  if (name === 'managementUrl' || name === 'endpoint') return withoutLogin(value);
  if (SECRETS.has(name)) return REDACTED;
  if (section !== 'tls') return value;
  if (name === 'key') return REDACTED;
  return CERTIFICATES.has(name) ? `[PEM, ${Buffer.byteLength(value)} bytes]` : value;
}

function withoutLogin(text: string): string {
  if (!URL.canParse(text)) return REDACTED;
  const url = new URL(text);
  if (url.username !== '') url.username = '***';
  if (url.password !== '') url.password = '***';
  return url.toString();
}
