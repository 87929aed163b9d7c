/**
 * What `work` resolves to, or, when it has not settled after `ms`, what `late` returns or throws. What becomes of
 * `work` later is ignored, an error too.
 */
export async function within<T>(work: Promise<T>, ms: number, late: () => T): Promise<T> {
  work.catch(() => undefined);
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<T>((resolve, reject) => {
    timer = setTimeout(() => {
      try {
        resolve(late());
      } catch (error) {
        reject(error instanceof Error ? error : new Error('deadline', { cause: error }));
      }
    }, ms);
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
