/** Stands for `@nestjs/throttler` in tests (`jest.config.js`): what `environment.mjs` has loaded. */
export const { ThrottlerGuard } = (globalThis as unknown as { nestThrottler: { ThrottlerGuard: unknown } })
  .nestThrottler
