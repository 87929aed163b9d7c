import type { Findings } from './findings.ts';
import type { Settings } from './settings.ts';

const EXPRESSION = /\\?\$\{([^}]*)\}/g;

/** What values are read with. */
export interface Reading {
  readonly settings: Settings;
  readonly findings: Findings;
}

/**
 * A value for an option of the relay's YAML. Expressions of MicroProfile (`${DB_HOST:localhost}`) and providers of Kafka
 * Connect (`${env:DB_HOST}`, `${dir:/secrets:password}`) become the relay's placeholders; `\${` stands for itself.
 */
export function optionValue(name: string, reading: Reading): string | undefined {
  const text = reading.settings.text(name);
  return text === undefined ? undefined : convertExpressions(text, name, reading);
}

/**
 * A secret for an option: a placeholder, never what is written in clear.
 *
 * @param variable of the environment, which is to get a secret that was written in clear
 */
export function secretValue(name: string, variable: string, reading: Reading): string | undefined {
  const { settings, findings } = reading;
  const text = settings.text(name);
  if (text === undefined) return undefined;
  if (/^\$\{[^}]*\}$/.test(text)) return convertExpressions(text.replace(/:[^}]*(?=\}$)/, keepProvider), name, reading);
  findings.warning(
    settings.nameOf(name),
    `the secret is left out of the file, which has \${${variable}} instead`,
    `Give it to the relay as the environment variable ${variable}, or write \${file:/path} there.`,
  );
  return `\${${variable}}`;
}

/** A default is a secret in clear; what stands behind the name of a provider is not. */
function keepProvider(rest: string, at: number, whole: string): string {
  return /^\$\{(?:env|dir|directory|file|secrets|vault)$/.test(whole.slice(0, at)) ? rest : '';
}

function convertExpressions(text: string, name: string, reading: Reading): string {
  return text.replace(EXPRESSION, (whole, inner: string) =>
    whole.startsWith('\\') ? `$\${${inner}}` : placeholder(inner, name, reading),
  );
}

function placeholder(inner: string, name: string, { settings, findings }: Reading): string {
  const [, provider, rest] = /^(env|dir|directory):(.*)$/.exec(inner) ?? [];
  if (provider === 'env' && rest !== undefined) return `\${${rest}}`;
  if (rest !== undefined) return `\${file:${rest.replace(':', '/')}}`;
  const [, variable, fallback] = /^([A-Za-z_][A-Za-z0-9_.-]*)(?::(.*))?$/s.exec(inner) ?? [];
  const known = variable !== undefined && !/^(?:file|secrets|vault)$/.test(variable);
  const environment = (known ? variable : name).replace(/[^A-Za-z0-9]/g, '_').toUpperCase();
  if (!known || variable !== environment) {
    findings.warning(
      settings.nameOf(name),
      `its value comes from \${${inner}}, which the relay cannot look up; the file has \${${environment}} instead`,
      `Give it to the relay as the environment variable ${environment}.`,
    );
  }
  return known && fallback !== undefined ? `\${${environment}:-${fallback}}` : `\${${environment}}`;
}
