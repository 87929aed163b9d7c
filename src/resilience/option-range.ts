/** @throws RangeError when an option is no whole number from `least` on */
export function wholeNumber(option: string, value: number, least: number): number {
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new RangeError(`${option} must be a whole number of at least ${least}, not ${value}`);
}
