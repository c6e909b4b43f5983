import 'reflect-metadata'
import { Type } from 'class-transformer'
import {
  IsBoolean,
  IsIn,
  IsInt,
  IsObject,
  IsOptional,
  IsString,
  IsUUID,
  Length,
  MaxLength,
  Min,
  ValidateNested,
} from 'class-validator'
import { LoadBalancerIntent } from './intent.js'
import { type Provider, providers } from './providers.js'

/** Where a balancer lives: the host itself, or an appliance that the host's agent reaches (L6, L7). */
export class DeviceIntent {
  /** `host`, or the appliance's name as the agent tells it. */
  @IsString() @Length(1, 64) name!: string
  /** Raised when another agent takes the device over: what comes with a lower one is refused. */
  @IsInt() @Min(1) epoch!: number
}

/** Be this balancer from now on, whole. Its generation is the command's. */
export class BalancingApply {
  @IsIn(providers) provider!: Provider
  @ValidateNested() @Type(() => DeviceIntent) device!: DeviceIntent
  @ValidateNested() @Type(() => LoadBalancerIntent) balancer!: LoadBalancerIntent
  /** Private keys in PEM, by the id of the certificate. */
  @IsOptional() @IsObject() keys?: Record<string, string>
}

/** The device has it: traffic that comes is carried by this generation. */
export class BalancingApplied {
  /** Nobody's connection was cut, and no process made anew. */
  @IsOptional() @IsBoolean() withoutReload?: boolean
}

/** Be this balancer no more, and leave nothing of it. */
export class BalancingRemove {
  @IsUUID() loadBalancerId!: string
  @IsIn(providers) provider!: Provider
  @ValidateNested() @Type(() => DeviceIntent) device!: DeviceIntent
}

export class BalancingRemoved {
  /** `removed` when there was one, `absent` when there was nothing to do. */
  @IsIn(['removed', 'absent']) outcome!: 'removed' | 'absent'
}

/** Say what this balancer would be, and whether the device would take it; change nothing. */
export class BalancingCheck extends BalancingApply {}

export class BalancingChecked {
  /** The driver's own verdict. */
  @IsBoolean() accepted!: boolean
  /** Its words where it is refused; else empty. */
  @IsString() @MaxLength(16_384) words!: string
  /** The configuration that is in force, and the one that would be: without secrets. Null: there is none. */
  @IsOptional() @IsString() @MaxLength(524_288) current!: string | null
  @IsOptional() @IsString() @MaxLength(524_288) planned!: string | null
}
