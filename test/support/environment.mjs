/**
 * Jest's environment, with `@nestjs/throttler` as Node itself loads it: it is CommonJS that requires Nest's ES modules, which
 * Node can since 20.19 and jest's own require cannot.
 */
import * as throttler from '@nestjs/throttler'
import { TestEnvironment } from 'jest-environment-node'

export default class Environment extends TestEnvironment {
  constructor(...args) {
    super(...args)
    this.global.nestThrottler = throttler
  }
}
