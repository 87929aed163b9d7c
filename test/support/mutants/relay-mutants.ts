import { CAPTURE_MUTANTS } from './capture-mutants.ts';
import type { Mutant } from './mutant.ts';
import { PUBLISH_MUTANTS } from './publish-mutants.ts';

/** Every rule that the simulated histories can break, broken. */
export const RELAY_MUTANTS: readonly Mutant[] = [...CAPTURE_MUTANTS, ...PUBLISH_MUTANTS];
