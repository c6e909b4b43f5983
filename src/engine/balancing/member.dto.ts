import { Type } from 'class-transformer'
import {
  ArrayMaxSize,
  IsArray,
  IsBoolean,
  IsInt,
  IsIP,
  IsOptional,
  IsUUID,
  Max,
  Min,
  ValidateNested,
} from 'class-validator'
import { MAX_MEMBERS } from '../../wire/balancing/intent.js'
import { Filter } from '../platform/pages.js'
import { IsPort } from './balancing-input.js'
import { DescribedInput, PartQuery, PartView, type ShownPart, viewPart } from './balancing-part.dto.js'
import type { MemberChange, NewMember } from './edits/members.js'
import type { Member } from './member.entity.js'

/** What is left out stays; null: its default. Address and port are what a member is. */
export class MemberUpdate extends DescribedInput implements MemberChange {
  /**
   * Its share of the requests against the others'; 0: no new connections. 1 by default.
   * @example 10
   */
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(256)
  weight?: number | null

  /**
   * Used only while all that are none are down.
   * @example false
   */
  @IsOptional()
  @IsBoolean()
  backup?: boolean | null

  /**
   * Where it is checked; null: at its own address.
   * @example null
   */
  @IsOptional()
  @IsIP()
  monitorAddress?: string | null

  /**
   * Where it is checked; null: at its own port.
   * @example 8081
   */
  @IsOptional()
  @IsPort()
  monitorPort?: number | null
}

export class MemberCreate extends MemberUpdate implements NewMember {
  /** @example 192.0.2.21 */
  @IsIP()
  address!: string

  /** @example 8080 */
  @IsPort()
  protocolPort!: number

  /**
   * The network that it is said to be in; nothing is claimed there.
   * @example null
   */
  @IsOptional()
  @IsUUID()
  networkId?: string | null
}

/** All members of a pool at once. */
export class MembersPut {
  /** Told apart by address and port: those that are there keep their ids and what is not said of them. */
  @IsArray()
  @ArrayMaxSize(MAX_MEMBERS)
  @ValidateNested({ each: true })
  @Type(() => MemberCreate)
  members!: MemberCreate[]

  /**
   * Those that are not named stay.
   * @example false
   */
  @IsOptional()
  @IsBoolean()
  additive?: boolean | null
}

export class MemberQuery extends PartQuery {
  @Filter({ description: 'Members at these addresses.' }) address?: string[]
}

export class MemberView extends PartView {
  /** @example 4a5b6c7d-8e9f-4a0b-8c1d-2e3f4a5b6c7d */
  poolId!: string
  /** @example null */
  networkId!: string | null
  /** @example 192.0.2.21 */
  address!: string
  /** @example 8080 */
  protocolPort!: number
  /** @example 10 */
  weight!: number
  /** @example false */
  backup!: boolean
  /** @example null */
  monitorAddress!: string | null
  /** @example 8081 */
  monitorPort!: number | null
}

export const viewMember = ({ row, above }: ShownPart<Member>): MemberView => ({
  ...viewPart(row, above),
  poolId: row.poolId,
  networkId: row.networkId,
  address: row.address,
  protocolPort: row.protocolPort,
  weight: row.weight,
  backup: row.backup,
  monitorAddress: row.monitorAddress,
  monitorPort: row.monitorPort,
})
