import { Type } from 'class-transformer'
import { ArrayMaxSize, IsArray, IsIn, IsObject, IsOptional, IsUUID, ValidateNested } from 'class-validator'
import { MAX_MEMBERS } from '../../wire/balancing/intent.js'
import {
  type Algorithm,
  algorithms,
  type PersistenceType,
  type PoolProtocol,
  persistenceTypes,
  poolProtocols,
} from '../../wire/balancing/terms.js'
import { Filter } from '../platform/pages.js'
import { IsLine } from './balancing-input.js'
import {
  DescribedInput,
  type IdView,
  idViews,
  PartQuery,
  PartView,
  type ShownPart,
  viewPart,
} from './balancing-part.dto.js'
import type { PoolChange } from './edits/pools.js'
import { TreeHealthMonitor } from './health-monitor.dto.js'
import { MemberCreate } from './member.dto.js'
import type { Pool } from './pool.entity.js'

export class SessionPersistenceInput {
  /** Left out in an update: as it is. */
  @IsOptional()
  @IsIn(persistenceTypes)
  type?: PersistenceType | null

  /**
   * Of APP_COOKIE alone: the cookie of the application's.
   * @example JSESSIONID
   */
  @IsOptional()
  @IsLine(255)
  cookieName?: string | null
}

export abstract class PoolAttributes extends DescribedInput {
  /** Who came once comes to the same member again. Null: not so. */
  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => SessionPersistenceInput)
  sessionPersistence?: SessionPersistenceInput | null
}

/** What is left out stays; null: its default. */
export class PoolUpdate extends PoolAttributes implements PoolChange {
  @IsOptional()
  @IsIn(algorithms)
  lbAlgorithm?: Algorithm | null
}

export abstract class NewPoolInput extends PoolAttributes {
  /** How members are spoken to. */
  @IsIn(poolProtocols)
  protocol!: PoolProtocol

  @IsIn(algorithms)
  lbAlgorithm!: Algorithm
}

export class PoolCreate extends NewPoolInput {
  /**
   * Left out: that of the listener.
   * @example 3f1d6a52-70a9-4d35-9f0e-1b2c3d4e5f60
   */
  @IsOptional()
  @IsUUID()
  loadBalancerId?: string | null

  /**
   * It becomes the default pool of this listener, which has none.
   * @example 5b6c7d8e-9f0a-4b1c-8d2e-3f4a5b6c7d8e
   */
  @IsOptional()
  @IsUUID()
  listenerId?: string | null
}

/** A pool that is made with its balancer; by its name alone, one that is made elsewhere in the same body. */
export class TreePool extends PoolAttributes {
  /** How members are spoken to. */
  @IsOptional()
  @IsIn(poolProtocols)
  protocol?: PoolProtocol

  @IsOptional()
  @IsIn(algorithms)
  lbAlgorithm?: Algorithm

  @IsOptional()
  @IsArray()
  @ArrayMaxSize(MAX_MEMBERS)
  @ValidateNested({ each: true })
  @Type(() => MemberCreate)
  members?: MemberCreate[] | null

  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => TreeHealthMonitor)
  healthMonitor?: TreeHealthMonitor | null
}

export class PoolQuery extends PartQuery {
  @Filter({ enum: poolProtocols, description: 'Pools of these protocols.' }) protocol?: PoolProtocol[]
  @Filter({ enum: algorithms, description: 'Pools of these algorithms.' }) lbAlgorithm?: Algorithm[]
}

export class SessionPersistenceView {
  type!: PersistenceType
  /** @example JSESSIONID */
  cookieName!: string | null
}

export class PoolView extends PartView {
  protocol!: PoolProtocol
  lbAlgorithm!: Algorithm
  sessionPersistence!: SessionPersistenceView | null
  /** Those whose default pool it is. */
  listeners!: IdView[]
  members!: IdView[]
  /** @example null */
  healthMonitorId!: string | null
}

/** What of other rows a pool shows. */
export interface PoolKin {
  readonly listenerIds: readonly string[]
  readonly memberIds: readonly string[]
  readonly healthMonitorId: string | null
}

export const viewPool = ({ row, above, kin }: ShownPart<Pool, PoolKin>): PoolView => ({
  ...viewPart(row, above),
  protocol: row.protocol,
  lbAlgorithm: row.lbAlgorithm,
  sessionPersistence: row.sessionPersistence && {
    type: row.sessionPersistence.type,
    cookieName: row.sessionPersistence.cookieName ?? null,
  },
  listeners: idViews(kin.listenerIds),
  members: idViews(kin.memberIds),
  healthMonitorId: kin.healthMonitorId,
})
