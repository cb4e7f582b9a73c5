/** Asks again until the check stops throwing. @throws the last error once `timeoutMs` is over */
export async function eventually<T>(check: () => Promise<T> | T, timeoutMs: number, everyMs = 100): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() >= end) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
