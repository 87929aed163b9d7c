import type { StatusReport } from '../core/status.ts';
import { liveness, readiness, type Verdict } from './health.ts';
import { type AdminRequest, type Answer, type Endpoint, jsonAnswer, textAnswer } from './http.ts';

/** What machines ask for. */
export interface ProbeSources {
  readonly metrics: {
    /** @param accept the request's header, by which the text format is chosen */
    expose(accept: string | undefined): Promise<{ readonly contentType: string; readonly body: string }>;
  };
  readonly status: () => StatusReport;
}

/** `/metrics`, `/healthz`, `/readyz`, `/status`. */
export function probeEndpoints({ metrics, status }: ProbeSources): readonly Endpoint[] {
  const probe = (judge: (report: StatusReport) => Verdict) => (): Answer => {
    const { ok, reason } = judge(status());
    return textAnswer(ok ? 200 : 503, reason);
  };
  const tellMetrics = async ({ headers }: AdminRequest): Promise<Answer> => ({
    code: 200,
    ...(await metrics.expose(headers.accept)),
    headers: { vary: 'accept' },
  });
  return [
    { method: 'GET', path: '/metrics', access: 'reader', answer: tellMetrics },
    { method: 'GET', path: '/healthz', access: 'anyone', answer: probe(liveness) },
    { method: 'GET', path: '/readyz', access: 'anyone', answer: probe(readiness) },
    { method: 'GET', path: '/status', access: 'reader', answer: () => jsonAnswer(status(), 2) },
  ];
}
