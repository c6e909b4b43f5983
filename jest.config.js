/** Tests run the TypeScript sources as native ES modules; `scripts/test.mjs` sets NODE_OPTIONS for that. */
export default {
  testEnvironment: '<rootDir>/test/support/environment.mjs',
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/hosts/', '<rootDir>/test/e2e/', '<rootDir>/test/trial/'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1', '^@nestjs/throttler$': '<rootDir>/test/support/throttler.ts' },
  transform: {
    '^.+\\.ts$': '@swc/jest',
    // ESM-only packages that CommonJS ones require: jest's require needs them as CommonJS
    'node_modules/(cookie|content-disposition)/.+\\.js$': ['@swc/jest', { swcrc: false, module: { type: 'commonjs' } }],
  },
  transformIgnorePatterns: ['/node_modules/(?!(cookie|content-disposition)/)'],
  maxWorkers: 2,
  testTimeout: 90_000,
  globalSetup: '<rootDir>/test/support/global-setup.ts',
  globalTeardown: '<rootDir>/test/support/global-teardown.ts',
}
