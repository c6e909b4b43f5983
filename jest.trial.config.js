import base from './jest.config.js'

/** `scripts/trial.mjs` runs it: one suite at a time, since each is a load of its own. */
export default {
  ...base,
  testMatch: ['<rootDir>/test/trial/**/*.trial.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
  maxWorkers: 1,
  testTimeout: 1_200_000,
  globalSetup: '<rootDir>/test/trial/support/sweep.ts',
  globalTeardown: '<rootDir>/test/trial/support/sweep.ts',
}
