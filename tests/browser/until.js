/** Waits for conditions, never for time. */

/** Milliseconds. Generous: a slow machine is no fault of the pages. Who works on them may want to know sooner. */
export const patience = Number(process.env.ATLASHUB_TEST_PATIENCE ?? 90_000);

/** Asks until the answer is what is wanted, and gives that answer. */
export async function until(what, ask, every = 50) {
  const end = Date.now() + patience;
  let last;
  do {
    try {
      last = await ask();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    await new Promise((done) => setTimeout(done, every));
  } while (Date.now() < end);
  throw new Error(`waited in vain for ${what}; last: ${last}`, last instanceof Error ? { cause: last } : undefined);
}
