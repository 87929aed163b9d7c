import { type ExportResult, ExportResultCode } from '@opentelemetry/core';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';

/** Who is told what becomes of spans. Must not throw. */
export interface ExportObserver {
  exported(spans: number): void;
  /** The collector did not take them, after all retries. They are gone. */
  failed(spans: number, error: unknown): void;
  /** Never made, since too many waited. */
  dropped(spans: number): void;
}

/**
 * Bounds how many spans wait for their export, and counts what becomes of each. It stands before the SDK's queue, which
 * drops without telling, so that a span for which there is no room is not even made.
 */
export class SpanBudget {
  readonly #observer: ExportObserver;
  readonly #limit: number;
  #waiting = 0;

  constructor(limit: number, observer: ExportObserver) {
    this.#limit = limit;
    this.#observer = observer;
  }

  /** Made and not yet exported. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Asks for room for one span; one that is admitted must be ended. */
  admit(): boolean {
    if (this.#waiting >= this.#limit) {
      this.#observer.dropped(1);
      return false;
    }
    this.#waiting++;
    return true;
  }

  /** The exporter, with its results counted. */
  around(exporter: SpanExporter): SpanExporter {
    return {
      export: (spans, done) => {
        const tell = (result: ExportResult): void => {
          this.#waiting -= spans.length;
          if (result.code === ExportResultCode.SUCCESS) this.#observer.exported(spans.length);
          else this.#observer.failed(spans.length, result.error);
          done(result);
        };
        this.#export(exporter, spans, tell);
      },
      shutdown: () => exporter.shutdown(),
    };
  }

  #export(exporter: SpanExporter, spans: ReadableSpan[], tell: (result: ExportResult) => void): void {
    try {
      exporter.export(spans, tell);
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown : new Error('the exporter failed', { cause: thrown });
      tell({ code: ExportResultCode.FAILED, error });
    }
  }
}
