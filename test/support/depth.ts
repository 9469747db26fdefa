type FarmDatabase = 'sqlite' | 'postgres';

/** `npm run test:deep` tries each combination, the test command each kind of case once. */
export const IS_DEEP = process.env['DC_TEST_DEEP'] === '1';

/** Those to try a whole farm on. What differs between them is in queries, and each runs on all of them in store.spec.ts. */
export function farmDatabases(one: FarmDatabase): readonly FarmDatabase[] {
  return IS_DEEP ? ['sqlite', 'postgres'] : [one];
}
