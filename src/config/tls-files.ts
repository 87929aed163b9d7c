import type { OptionPath, Problems } from './problems.ts';
import type { TlsOptions } from '../core/tls.ts';
import { systemCode, type Surroundings } from './substitute.ts';

const MATERIAL = ['ca', 'cert', 'key'] as const;
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

function hasTls(options: object): options is { readonly tls: TlsOptions } {
  return 'tls' in options && typeof options.tls === 'object' && options.tls !== null;
}
