import type { ProgressStep, ReportProgress } from '../core/progress.ts';

/** Where progress goes: standard error. */
export interface ProgressOutput {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const REDRAW_MS = 100;
/** Shorter work shows nothing. */
const PATIENCE_MS = 500;
/** Without a terminal: a line now and then. */
const LINE_MS = 10_000;
const BAR_WIDTH = 24;
const CLEAR_LINE = '\r\x1b[K';

/**
 * Shows how far long work has come: as a bar on a terminal, else as a line every ten seconds. By a timer, so that a step
 * that takes long by itself is shown, too, and reporting costs nothing.
 */
export class Progress {
  readonly #output: ProgressOutput;
  readonly #timer: NodeJS.Timeout;
  #step: ProgressStep | null = null;
  #silentFor = PATIENCE_MS;
  #drawn = false;

  constructor(output: ProgressOutput) {
    this.#output = output;
    this.#timer = output.isTTY === true ? setInterval(this.#draw, REDRAW_MS) : setInterval(this.#print, LINE_MS);
    this.#timer.unref();
  }

  readonly report: ReportProgress = (step) => {
    this.#step = step;
  };

  /** Takes the bar away. */
  end(): void {
    clearInterval(this.#timer);
    if (this.#drawn) this.#output.write(CLEAR_LINE);
  }

  readonly #draw = (): void => {
    this.#silentFor -= REDRAW_MS;
    if (this.#step === null || this.#silentFor > 0) return;
    this.#drawn = true;
    this.#output.write(`${CLEAR_LINE}${barText(this.#step).slice(0, (this.#output.columns ?? 80) - 1)}`);
  };

  readonly #print = (): void => {
    if (this.#step !== null) this.#output.write(`${stepText(this.#step)}\n`);
  };
}

/** Does long work with its progress shown on standard error. */
export async function withProgress<T>(work: (report: ReportProgress) => Promise<T>): Promise<T> {
  const progress = new Progress(process.stderr);
  try {
    return await work(progress.report);
  } finally {
    progress.end();
  }
}

function barText(step: ProgressStep): string {
  const share = shareOf(step);
  if (share === null) return stepText(step);
  const filled = Math.floor(share * BAR_WIDTH);
  return `[${'#'.repeat(filled)}${'-'.repeat(BAR_WIDTH - filled)}] ${stepText(step)}`;
}

function stepText(step: ProgressStep): string {
  const { what, done, total, unit } = step;
  const share = shareOf(step);
  if (total === null || share === null) return `${what}: ${grouped(done)} ${unit}`;
  return `${what}: ${grouped(done)} of ${grouped(total)} ${unit} (${Math.floor(share * 100)} %)`;
}

function shareOf({ done, total }: ProgressStep): number | null {
  return total === null || total === 0 ? null : Math.min(1, done / total);
}

/** 1234567 as 1,234,567. */
function grouped(count: number): string {
  return String(Math.round(count)).replaceAll(/\B(?=(\d{3})+$)/g, ',');
}
