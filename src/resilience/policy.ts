/** What a policy runs. It should end early when `signal` is aborted: hand it on to `fetch`, to a query, to a pause. */
export type Call<T> = (signal: AbortSignal) => Promise<T>;

/** A way to run calls. Make one for each callee and share it: breakers and bulkheads remember. */
export interface Policy {
  /**
   * @param signal cancels the call, waiting for a repetition or a slot included; the promise is then rejected with
   *   its reason. Cancelled calls are neither repeated nor counted as failures of the callee.
   */
  execute<T>(call: Call<T>, signal?: AbortSignal): Promise<T>;
}

/** Nests policies, outermost first: `compose(a, b).execute(call)` is `a.execute((signal) => b.execute(call, signal))`. */
export function compose(...policies: readonly Policy[]): Policy {
  const direct: Policy = { execute: (call, signal = neverAborted()) => call(signal) };
  return policies.reduceRight<Policy>(
    (inner, outer) => ({
      execute: (call, signal) => outer.execute((own) => inner.execute(call, own), signal),
    }),
    direct,
  );
}

/** For calls that nobody cancels. */
export function neverAborted(): AbortSignal {
  return new AbortController().signal;
}
