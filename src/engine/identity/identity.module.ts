import { Module } from '@nestjs/common'
import { Authentication } from './authentication.js'

@Module({
  providers: [Authentication],
  exports: [Authentication],
})
export class IdentityModule {}
