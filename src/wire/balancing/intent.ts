import 'reflect-metadata'
import { Type } from 'class-transformer'
import {
  ArrayMaxSize,
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsIP,
  IsObject,
  IsOptional,
  IsString,
  IsUUID,
  Length,
  Max,
  MaxLength,
  Min,
  ValidateNested,
} from 'class-validator'
import { NetworkIntent } from '../networks.js'
import {
  type Algorithm,
  algorithms,
  type CompareType,
  compareTypes,
  type HttpMethod,
  httpMethods,
  type InsertableHeader,
  type ListenerProtocol,
  listenerProtocols,
  type MonitorType,
  monitorTypes,
  type PersistenceType,
  type PolicyAction,
  type PoolProtocol,
  persistenceTypes,
  policyActions,
  poolProtocols,
  type RuleType,
  ruleTypes,
} from './terms.js'

const MAX_PORT = 65_535
/** What is said of one balancer must fit a frame with room to spare. */
export const MAX_MEMBERS = 2_000
export const MAX_LISTENERS = 100
export const MAX_POOLS = 200
export const MAX_POLICIES = 200
export const MAX_RULES = 50
export const MAX_CERTIFICATES = 100

export class MemberIntent {
  @IsUUID() id!: string
  @IsBoolean() adminStateUp!: boolean
  @IsIP() address!: string
  @IsInt() @Min(1) @Max(MAX_PORT) port!: number
  /** 0: no new connections, as `draining` says it too. */
  @IsInt() @Min(0) @Max(256) weight!: number
  /** Used only while all that are none are down. */
  @IsBoolean() backup!: boolean
  /** Null: the member's own. */
  @IsOptional() @IsIP() monitorAddress!: string | null
  @IsOptional() @IsInt() @Min(1) @Max(MAX_PORT) monitorPort!: number | null
  /** On its way out: connections that it has may end, and it gets no new ones. */
  @IsBoolean() draining!: boolean
}

/** Times in seconds. */
export class HealthMonitorIntent {
  @IsUUID() id!: string
  @IsBoolean() adminStateUp!: boolean
  @IsIn(monitorTypes) type!: MonitorType
  @IsInt() @Min(1) delay!: number
  @IsInt() @Min(1) timeout!: number
  /** Good checks until a member is up. */
  @IsInt() @Min(1) @Max(10) maxRetries!: number
  /** Bad checks until it is down. */
  @IsInt() @Min(1) @Max(10) maxRetriesDown!: number
  @IsOptional() @IsIn(httpMethods) httpMethod!: HttpMethod | null
  @IsOptional() @IsString() @MaxLength(255) urlPath!: string | null
  /** `200`, `200,202`, `200-204`. */
  @IsOptional() @IsString() @MaxLength(64) expectedCodes!: string | null
  @IsOptional() @IsIn(['1.0', '1.1']) httpVersion!: '1.0' | '1.1' | null
  @IsOptional() @IsString() @MaxLength(255) domainName!: string | null
}

export class PersistenceIntent {
  @IsIn(persistenceTypes) type!: PersistenceType
  /** Of APP_COOKIE alone. */
  @IsOptional() @IsString() @MaxLength(255) cookieName!: string | null
}

export class PoolIntent {
  @IsUUID() id!: string
  @IsBoolean() adminStateUp!: boolean
  @IsIn(poolProtocols) protocol!: PoolProtocol
  @IsIn(algorithms) algorithm!: Algorithm
  @IsOptional() @ValidateNested() @Type(() => PersistenceIntent) persistence!: PersistenceIntent | null
  @IsOptional() @ValidateNested() @Type(() => HealthMonitorIntent) monitor!: HealthMonitorIntent | null
  @IsArray()
  @ArrayMaxSize(MAX_MEMBERS)
  @ValidateNested({ each: true })
  @Type(() => MemberIntent)
  members!: MemberIntent[]
}

export class L7RuleIntent {
  @IsUUID() id!: string
  @IsIn(ruleTypes) type!: RuleType
  @IsIn(compareTypes) compareType!: CompareType
  /** The name of the header or cookie. */
  @IsOptional() @IsString() @MaxLength(255) key!: string | null
  @IsString() @MaxLength(255) value!: string
  @IsBoolean() invert!: boolean
}

/** A request that meets all of its rules is its own; one without rules has none. Disabled ones are left out. */
export class L7PolicyIntent {
  @IsUUID() id!: string
  @IsIn(policyActions) action!: PolicyAction
  @IsOptional() @IsUUID() redirectPoolId!: string | null
  @IsOptional() @IsString() @MaxLength(2048) redirectUrl!: string | null
  @IsOptional() @IsString() @MaxLength(2048) redirectPrefix!: string | null
  @IsOptional() @IsIn([301, 302, 303, 307, 308]) redirectHttpCode!: number | null
  @IsArray() @ArrayMaxSize(MAX_RULES) @ValidateNested({ each: true }) @Type(() => L7RuleIntent) rules!: L7RuleIntent[]
}

/** Times in milliseconds. Octavia's defaults: 50,000, 5,000, 50,000, 0. */
export class ListenerTimeouts {
  @IsInt() @Min(0) clientDataMs!: number
  @IsInt() @Min(0) memberConnectMs!: number
  @IsInt() @Min(0) memberDataMs!: number
  @IsInt() @Min(0) tcpInspectMs!: number
}

export class ListenerIntent {
  @IsUUID() id!: string
  /** One that is not has no port open. */
  @IsBoolean() adminStateUp!: boolean
  @IsIn(listenerProtocols) protocol!: ListenerProtocol
  @IsInt() @Min(1) @Max(MAX_PORT) port!: number
  /** Connections at once; -1: no limit. */
  @IsInt() @Min(-1) connectionLimit!: number
  @IsOptional() @IsUUID() defaultPoolId!: string | null
  /** Empty: everybody. */
  @IsArray() @ArrayMaxSize(100) @IsString({ each: true }) allowedCidrs!: string[]
  @IsObject() insertHeaders!: Partial<Record<InsertableHeader, boolean>>
  @ValidateNested() @Type(() => ListenerTimeouts) timeouts!: ListenerTimeouts
  /** The first is shown to who names no server, or one that no other certificate is for. */
  @IsArray() @ArrayMaxSize(32) @IsUUID('all', { each: true }) certificateIds!: string[]
  /** In their order: the first whose rules are met counts. */
  @IsArray()
  @ArrayMaxSize(MAX_POLICIES)
  @ValidateNested({ each: true })
  @Type(() => L7PolicyIntent)
  policies!: L7PolicyIntent[]
}

/** What is public of it; its key is among the secrets of the command. */
export class CertificateIntent {
  @IsUUID() id!: string
  /** PEM: its own first, then those that lead to the root. */
  @IsString() @MaxLength(65_536) chainPem!: string
}

export class VipIntent {
  @IsIP() address!: string
  @ValidateNested() @Type(() => NetworkIntent) network!: NetworkIntent
}

/** A load balancer whole, and for no vendor: rendering it is a driver's. */
export class LoadBalancerIntent {
  @IsUUID() id!: string
  /** For who looks at a host: nothing is told apart by it. */
  @IsString() @Length(0, 255) name!: string
  /** One that is not has none of its ports open. */
  @IsBoolean() adminStateUp!: boolean
  @ValidateNested() @Type(() => VipIntent) vip!: VipIntent
  @IsArray()
  @ArrayMaxSize(MAX_LISTENERS)
  @ValidateNested({ each: true })
  @Type(() => ListenerIntent)
  listeners!: ListenerIntent[]
  /** All of them, also those that no listener leads to: their members are checked. */
  @IsArray() @ArrayMaxSize(MAX_POOLS) @ValidateNested({ each: true }) @Type(() => PoolIntent) pools!: PoolIntent[]
  @IsArray()
  @ArrayMaxSize(MAX_CERTIFICATES)
  @ValidateNested({ each: true })
  @Type(() => CertificateIntent)
  certificates!: CertificateIntent[]
}
