import { Type } from 'class-transformer'
import {
  ArrayMaxSize,
  IsArray,
  IsIn,
  IsInt,
  IsObject,
  IsOptional,
  IsUUID,
  Max,
  Min,
  ValidateNested,
} from 'class-validator'
import { MAX_POLICIES } from '../../wire/balancing/intent.js'
import { type InsertableHeader, type ListenerProtocol, listenerProtocols } from '../../wire/balancing/terms.js'
import { Filter } from '../platform/pages.js'
import { IsInsertHeaders, IsLine, IsPort, IsTimeoutMs } from './balancing-input.js'
import {
  DescribedInput,
  type IdView,
  idViews,
  PartQuery,
  PartView,
  type ShownPart,
  viewPart,
} from './balancing-part.dto.js'
import type { ListenerChange, NewListener } from './edits/listeners.js'
import { TreeL7Policy } from './l7-policy.dto.js'
import type { Listener } from './listener.entity.js'
import { TreePool } from './pool.dto.js'

const MAX_CIDRS = 100
const MAX_SNI = 31

/** What is left out stays; null: its default. Times in milliseconds. */
export class ListenerUpdate extends DescribedInput implements ListenerChange {
  /**
   * Connections at once; -1, the default: no limit.
   * @example 10000
   */
  @IsOptional()
  @IsInt()
  @Min(-1)
  @Max(2_147_483_647)
  connectionLimit?: number | null

  /**
   * Where what no L7 policy takes goes.
   * @example 4a5b6c7d-8e9f-4a0b-8c1d-2e3f4a5b6c7d
   */
  @IsOptional()
  @IsUUID()
  defaultPoolId?: string | null

  /**
   * Who may come, in CIDR; none: everybody.
   * @example ["192.0.2.0/24"]
   */
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(MAX_CIDRS)
  @IsLine(64, 1, { each: true })
  allowedCidrs?: string[] | null

  /**
   * What members are told of the client: X-Forwarded-For, X-Forwarded-Port, X-Forwarded-Proto.
   * @example { "X-Forwarded-For": true }
   */
  @IsOptional()
  @IsInsertHeaders()
  insertHeaders?: Partial<Record<InsertableHeader, boolean>> | null

  /**
   * How long a client may be silent; 50000 by default.
   * @example 50000
   */
  @IsOptional()
  @IsTimeoutMs()
  timeoutClientData?: number | null

  /**
   * How long a member may take to accept; 5000 by default.
   * @example 5000
   */
  @IsOptional()
  @IsTimeoutMs()
  timeoutMemberConnect?: number | null

  /**
   * How long a member may be silent; 50000 by default.
   * @example 50000
   */
  @IsOptional()
  @IsTimeoutMs()
  timeoutMemberData?: number | null

  /**
   * How long is waited for more of what is to be inspected; 0 by default.
   * @example 0
   */
  @IsOptional()
  @IsTimeoutMs()
  timeoutTcpInspect?: number | null

  /**
   * Of TERMINATED_HTTPS: what is shown to who names no server.
   * @example null
   */
  @IsOptional()
  @IsUUID()
  defaultCertificateId?: string | null

  /**
   * Of TERMINATED_HTTPS: for the servers that they name.
   * @example []
   */
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(MAX_SNI)
  @IsUUID('all', { each: true })
  sniCertificateIds?: string[] | null
}

abstract class NewListenerInput extends ListenerUpdate implements NewListener {
  @IsIn(listenerProtocols)
  protocol!: ListenerProtocol

  /** @example 80 */
  @IsPort()
  protocolPort!: number
}

export class ListenerCreate extends NewListenerInput {
  /** @example 3f1d6a52-70a9-4d35-9f0e-1b2c3d4e5f60 */
  @IsUUID()
  loadBalancerId!: string
}

export class TreeListener extends NewListenerInput {
  /** Instead of an id, which it has none yet. */
  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => TreePool)
  defaultPool?: TreePool | null

  @IsOptional()
  @IsArray()
  @ArrayMaxSize(MAX_POLICIES)
  @ValidateNested({ each: true })
  @Type(() => TreeL7Policy)
  l7Policies?: TreeL7Policy[] | null
}

export class ListenerQuery extends PartQuery {
  @Filter({ enum: listenerProtocols, description: 'Listeners of these protocols.' }) protocol?: ListenerProtocol[]
  @Filter({ format: 'uuid', description: 'Listeners that lead to these pools.' }) defaultPoolId?: string[]
}

export class ListenerView extends PartView {
  protocol!: ListenerProtocol
  /** @example 80 */
  protocolPort!: number
  /** @example 10000 */
  connectionLimit!: number
  /** @example 4a5b6c7d-8e9f-4a0b-8c1d-2e3f4a5b6c7d */
  defaultPoolId!: string | null
  /** @example ["192.0.2.0/24"] */
  allowedCidrs!: string[]
  /** @example { "X-Forwarded-For": true } */
  insertHeaders!: Record<string, boolean>
  /** @example 50000 */
  timeoutClientData!: number
  /** @example 5000 */
  timeoutMemberConnect!: number
  /** @example 50000 */
  timeoutMemberData!: number
  /** @example 0 */
  timeoutTcpInspect!: number
  /** @example null */
  defaultCertificateId!: string | null
  /** @example [] */
  sniCertificateIds!: string[]
  /** In their order. */
  l7Policies!: IdView[]
}

/** What of other rows a listener shows. */
export interface ListenerKin {
  readonly l7PolicyIds: readonly string[]
}

export const viewListener = ({ row, above, kin }: ShownPart<Listener, ListenerKin>): ListenerView => ({
  ...viewPart(row, above),
  protocol: row.protocol,
  protocolPort: row.protocolPort,
  connectionLimit: row.connectionLimit,
  defaultPoolId: row.defaultPoolId,
  allowedCidrs: row.allowedCidrs,
  insertHeaders: { ...row.insertHeaders },
  timeoutClientData: row.timeoutClientData,
  timeoutMemberConnect: row.timeoutMemberConnect,
  timeoutMemberData: row.timeoutMemberData,
  timeoutTcpInspect: row.timeoutTcpInspect,
  defaultCertificateId: row.defaultCertificateId,
  sniCertificateIds: row.sniCertificateIds,
  l7Policies: idViews(kin.l7PolicyIds),
})
