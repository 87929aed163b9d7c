import type { Findings } from './findings.ts';
import type { Settings } from './settings.ts';
import type { DebeziumRuntime } from './sources.ts';

/** With others in it up to two deep; and what keeps it from being one: `\${`, and MicroProfile's `$${`. */
const EXPRESSION = /[\\$]?\$\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}/g;
const ONE_EXPRESSION = /^\$\{[^{}]*\}$/;

/** What values are read with. */
export interface Reading {
  readonly runtime: DebeziumRuntime;
  readonly settings: Settings;
  readonly findings: Findings;
}

/** Whose value a text is. */
export interface Place {
  /** The setting that it stands in. */
  readonly name: string;
  /** Of the environment: what is to have the value where the relay cannot look it up, or where it is a secret in clear. */
  readonly variable: string;
}

/**
 * A value for an option of the relay's YAML. Expressions of MicroProfile (`${DB_HOST:localhost}`) and providers of Kafka
 * Connect (`${env:DB_HOST}`, `${dir:/secrets:password}`) become the relay's placeholders; `\${` and `$${` stand for `${`.
 */
export function optionValue(name: string, reading: Reading): string | undefined {
  const text = reading.settings.text(name);
  return text === undefined ? undefined : optionText(text, { name, variable: environmentName(name) }, reading);
}

/** {@link optionValue} of a text that is only a part of its setting. */
export function optionText(text: string, place: Place, reading: Reading): string {
  return text.replace(EXPRESSION, (whole, inner: string) =>
    whole.startsWith('${') ? placeholder(inner, place, reading) : `$\${${inner}}`,
  );
}

/**
 * A secret for an option: a placeholder, never what is written in clear.
 *
 * @param variable of the environment, which is to get a secret that was written in clear
 */
export function secretValue(name: string, variable: string, reading: Reading): string | undefined {
  const text = reading.settings.text(name);
  return text === undefined ? undefined : secretText(text, { name, variable }, reading);
}

/** {@link secretValue} of a text that is only a part of its setting. */
export function secretText(text: string, place: Place, reading: Reading): string {
  const { runtime, settings, findings } = reading;
  if (ONE_EXPRESSION.test(text)) {
    const kept = runtime === 'connect' ? text : text.replace(/:[^}]*(?=\}$)/, keepProvider);
    return optionText(kept, place, reading);
  }
  findings.warning(
    settings.nameOf(place.name),
    `the secret is left out of the file, which has \${${place.variable}} instead`,
    `Give it to the relay as the environment variable ${place.variable}, or write \${file:/path} there.`,
  );
  return `\${${place.variable}}`;
}

/** A default is a secret in clear; what stands behind the name of a provider is not. */
function keepProvider(rest: string, at: number, whole: string): string {
  return /^\$\{(?:env|dir|directory|file|secrets|vault)$/.test(whole.slice(0, at)) ? rest : '';
}

function placeholder(inner: string, { name, variable }: Place, { runtime, settings, findings }: Reading): string {
  const [, provider, rest] = /^(env|dir|directory):(.*)$/.exec(inner) ?? [];
  if (provider === 'env' && rest !== undefined) return `\${${rest}}`;
  if (rest !== undefined) return `\${file:${rest.replace(':', '/')}}`;
  const [, named, fallback] = /^([A-Za-z_][A-Za-z0-9_.-]*)(?::(.*))?$/s.exec(inner) ?? [];
  // Kafka Connect has no defaults: what stands behind a colon is a provider's
  const known =
    named !== undefined && !(runtime === 'connect' ? fallback !== undefined : /^(?:file|secrets|vault)$/.test(named));
  const environment = known ? environmentName(named) : variable;
  const nested = fallback?.includes('${') === true;
  if (!known || nested || named !== environment) {
    findings.warning(
      settings.nameOf(name),
      `its value comes from \${${inner}}, which the relay cannot look up; the file has \${${environment}} instead`,
      `Give it to the relay as the environment variable ${environment}.`,
    );
  }
  return known && fallback !== undefined && !nested ? `\${${environment}:-${fallback}}` : `\${${environment}}`;
}

function environmentName(name: string): string {
  return name.replace(/[^A-Za-z0-9]/g, '_').toUpperCase();
}
