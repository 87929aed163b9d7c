import type { OptionPath, Problems } from './problems.ts';
import { isAdminToken, TOKEN_FORM } from './schema/admin.ts';
import { contentOf, systemCode, type Surroundings } from './substitute.ts';

const MATERIAL = ['ca', 'cert', 'key', 'clientCa'] as const;
const PEM = '-----BEGIN ';

/**
 * Replaces the paths of certificates and keys by what the files hold; PEM text stays as it is.
 *
 * @param path of the option that holds `tls`
 */
export function withTlsFiles<T extends object>(
  options: T,
  path: OptionPath,
  readFile: Surroundings['readFile'],
  problems: Problems,
): T {
  if (!hasTls(options)) return options;
  const tls: Record<string, unknown> = { ...options.tls };
  for (const name of MATERIAL) {
    const given = options.tls[name];
    if (given === undefined || given.includes(PEM)) continue;
    try {
      const content = readFile(given);
      if (!content.includes(PEM))
        problems.add([...path, 'tls', name], `${given} is not a PEM file: it has no line ${PEM}...`);
      tls[name] = content;
    } catch (error) {
      problems.add([...path, 'tls', name], `cannot read ${given} (${systemCode(error)})`);
    }
  }
  return { ...options, tls };
}

/** {@link withTlsFiles} for a destination, the token endpoint of its login included. */
export function withDestinationFiles<T extends object>(
  destination: T,
  path: OptionPath,
  readFile: Surroundings['readFile'],
  problems: Problems,
): T {
  const resolved = withTlsFiles(destination, path, readFile, problems);
  if (!hasOAuth(resolved)) return resolved;
  const oauth = withTlsFiles(resolved.sasl.oauth, [...path, 'sasl', 'oauth'], readFile, problems);
  return { ...resolved, sasl: { ...resolved.sasl, oauth } };
}

function hasOAuth(options: object): options is { readonly sasl: { readonly oauth: object } } {
  if (!('sasl' in options) || typeof options.sasl !== 'object' || options.sasl === null) return false;
  return 'oauth' in options.sasl && typeof options.sasl.oauth === 'object' && options.sasl.oauth !== null;
}

type MaterialTexts = Readonly<Partial<Record<(typeof MATERIAL)[number], string | undefined>>>;

function hasTls(options: object): options is { readonly tls: MaterialTexts } {
  return 'tls' in options && typeof options.tls === 'object' && options.tls !== null;
}

/** Takes the token of the admin port out of its file. */
export function withTokenFile<T extends { readonly token: string | null; readonly tokenFile: string | null }>(
  admin: T,
  readFile: Surroundings['readFile'],
  problems: Problems,
): T {
  const { tokenFile } = admin;
  if (tokenFile === null) return admin;
  const path = ['admin', 'tokenFile'];
  try {
    const token = contentOf(tokenFile, readFile);
    if (!isAdminToken(token)) problems.add(path, `expected in the file ${TOKEN_FORM}`);
    return { ...admin, token };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    problems.add(path, error.message);
    return admin;
  }
}
