import { ApiProperty } from '@nestjs/swagger'

/** The answer of a process that can answer. */
export class HealthView {
  @ApiProperty({ description: 'Always `ok`: what is not well is a problem document.', enum: ['ok'] })
  readonly status!: string
}

export const ok: HealthView = { status: 'ok' }
