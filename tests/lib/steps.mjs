/**
 * Steps of one test, one after the other. Without one, those after it prove nothing: they are skipped.
 * @param {import('node:test').TestContext} t
 * @param {() => string | Promise<string>} [diagnose] what is known when a step has failed
 * @returns {(name: string, act: (t: import('node:test').TestContext) => Promise<void>) => Promise<void>}
 */
export function steps(t, diagnose = () => '') {
  let failed = false;
  return (name, act) =>
    t.test(name, { skip: failed && 'a step before it failed' }, async (t) => {
      failed = true;
      try {
        await act(t);
      } catch (error) {
        t.diagnostic(await diagnose());
        throw error;
      }
      failed = false;
    });
}
