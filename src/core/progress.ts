/** How far long work has come. */
export interface ProgressStep {
  /** What is being done, to what: `reading orders`. */
  readonly what: string;
  readonly done: number;
  /** How much there is to do; null while that is not known. */
  readonly total: number | null;
  /** What is counted, in the plural: `messages`. */
  readonly unit: string;
}

/** Told at each step of long work; cheap to call often. */
export type ReportProgress = (step: ProgressStep) => void;
