/** How many tests came to what. */
export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}
