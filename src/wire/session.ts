import 'reflect-metadata'
import { Type } from 'class-transformer'
import {
  ArrayMaxSize,
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsObject,
  IsOptional,
  IsString,
  Length,
  Matches,
  Max,
  MaxLength,
  Min,
  ValidateNested,
} from 'class-validator'

/**
 * The contract of a session between an agent and an engine (requirement U2): the agent dials, opens a stream with
 * `session.open`, and everything else is a request with an answer on the same connection.
 */

/** The protocol this build speaks, and the oldest one it still serves. Changes inside one number are additive. */
export const PROTOCOL = { current: 1, oldest: 1 } as const

/** Object patterns: Nest parses string patterns anew for every message. */
export const patterns = {
  open: { session: 'open' },
  heartbeat: { session: 'heartbeat' },
  inventory: { session: 'inventory' },
  close: { session: 'close' },
  permit: { command: 'permit' },
  report: { command: 'report' },
  observe: { observation: 'push' },
  renew: { certificate: 'renew' },
} as const

/** Largest frame in characters. What may exceed it (an inventory) is paged. */
export const MAX_FRAME_CHARS = 1_048_576
/** Most items in one page of an inventory, one push of observations, one batch of reports. */
export const MAX_BATCH = 500

/**
 * `<noun>/<key>`: what a command, an inventory item or an observation speaks about, unique within its host. A key may have
 * 255 code points, like the ids of a connection.
 */
export const SUBJECT = /^[a-z][a-z.-]{1,62}\/[^/]{1,255}$/u

export const HOST_NAME = /^[a-zA-Z0-9]([a-zA-Z0-9._-]{0,126}[a-zA-Z0-9])?$/
export const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** A program that the host's drivers use; `version` is null where the tool is not installed. */
export class Tool {
  @IsString() @MaxLength(64) name!: string
  @IsOptional() @IsString() @MaxLength(128) version!: string | null
}

/** What a host cannot do, and what of it stands in the way, by name. */
export class Lack {
  @IsString() @MaxLength(64) capability!: string
  @IsString() @MaxLength(255) message!: string
}

/** What a host says about itself. Memory in bytes. */
export class HostFacts {
  @IsString() @MaxLength(255) hostname!: string
  @IsString() @MaxLength(255) os!: string
  @IsString() @MaxLength(255) kernel!: string
  @IsString() @MaxLength(32) arch!: string
  @IsInt() @Min(1) cpus!: number
  @IsString() @MaxLength(255) cpuModel!: string
  @IsInt() @Min(0) memoryBytes!: number
  @IsArray() @ArrayMaxSize(64) @ValidateNested({ each: true }) @Type(() => Tool) tools!: Tool[]
  /** Left out by older agents. */
  @IsOptional() @IsArray() @ArrayMaxSize(64) @ValidateNested({ each: true }) @Type(() => Lack) lacks?: Lack[]
}

/** The first message on a connection. Which host it is from is not in it: the certificate of the connection says so. */
export class Hello {
  /** Made once per state directory: tells a reinstalled host, or a second one of the same name, from the known one. */
  @Matches(UUID) agentId!: string
  /** Changes with every boot of the host. */
  @IsString() @Length(1, 64) bootId!: string
  @IsString() @MaxLength(64) agentVersion!: string
  @IsInt() @Min(0) @Max(1000) protocol!: number
  /** The command kinds that this agent carries out. */
  @IsArray() @ArrayMaxSize(200) @IsString({ each: true }) @MaxLength(64, { each: true }) kinds!: string[]
  /** What it can do with the tools it has: `storage:posix`, `storage:posix:xfs`. A missing one is absent; older agents tell schemes alone. */
  @IsArray() @ArrayMaxSize(200) @IsString({ each: true }) @MaxLength(64, { each: true }) capabilities!: string[]
  @ValidateNested() @Type(() => HostFacts) facts!: HostFacts
  /** The database incarnation that the agent last served; null at first. */
  @IsOptional() @IsString() @MaxLength(64) incarnation!: string | null
  /** Highest session epoch that the agent has seen. */
  @IsInt() @Min(0) epoch!: number
  /** Highest command sequence number that the agent has seen. */
  @IsInt() @Min(0) seq!: number
}

/** The first item of the stream that answers a hello. */
export class Welcome {
  readonly type = 'welcome' as const
  hostId!: string
  epoch!: number
  incarnation!: string
  protocol!: number
  /** How often the agent says that it lives. */
  heartbeatMs!: number
  /** After this long without a word from the engine the agent dials anew. */
  silenceMs!: number
  /** Every address at which a replica listens, `host:port`. */
  addresses!: string[]
  /** Every command up to this sequence number has ended: the agent refuses it as superseded and may forget its mark. */
  floor!: number
  /** Settings that agents obey, by key, e.g. `storage.probeIntervalMs`. */
  settings!: Record<string, number>
}

/** One command as it travels; `payload` is validated by its kind's class. */
export class CommandMessage {
  readonly type = 'command' as const
  @Matches(UUID) id!: string
  @IsInt() @Min(1) seq!: number
  @IsString() @MaxLength(64) kind!: string
  @Matches(SUBJECT) subject!: string
  @IsInt() @Min(0) generation!: number
  @IsObject() payload!: object
  /** Epoch of the session that carries it. */
  @IsInt() @Min(1) epoch!: number
  /** Remaining time in milliseconds until the plane gives it up; null: never. */
  @IsOptional() @IsInt() remainingMs!: number | null
  /** True when a start permit was granted already: an agent that does not know the command must not run it. */
  @IsBoolean() permitted!: boolean
  /** The request that caused it, for the logs. */
  @IsOptional() @IsString() @MaxLength(200) requestId!: string | null
}

export interface FloorMessage {
  readonly type: 'floor'
  readonly floor: number
}

/** The engine asks the agent to go: `draining` (dial another address), `fenced` (a newer session exists), `removed`. */
export interface GoodbyeMessage {
  readonly type: 'goodbye'
  readonly reason: 'draining' | 'fenced' | 'removed' | 'refused'
  readonly detail?: string
}

export type StreamMessage = Welcome | CommandMessage | FloorMessage | GoodbyeMessage

/** What a call is answered with when the engine refuses it. */
export interface Refusal {
  readonly refused: true
  /** Stable: `removed`, `certificate-revoked`, `name-taken`, `protocol-unsupported`, `fenced`, `bad-message`, … */
  readonly code: string
  readonly message: string
}

/** ISO 8601 in UTC with milliseconds, as JavaScript writes it. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

/** Why something went wrong on a host: `type` is stable, `message` holds the tool's own words, `number` VDSM's code. */
export class Fault {
  @Matches(/^[a-z][a-z0-9.-]{1,63}$/) type!: string
  @IsString() @MaxLength(4000) message!: string
  @IsOptional() @IsInt() number?: number
  /** When the host saw it, by its own clock; left out where that is not known, and by older agents. */
  @IsOptional() @Matches(TIME) at?: string
}

export const reportStates = ['succeeded', 'failed', 'superseded'] as const
export type ReportState = (typeof reportStates)[number]

/** How one command ended. Repeated until acknowledged. */
export class Report {
  @Matches(UUID) commandId!: string
  @IsInt() @Min(1) seq!: number
  @IsIn(reportStates) state!: ReportState
  @IsOptional() @IsObject() result?: object
  @IsOptional() @ValidateNested() @Type(() => Fault) fault?: Fault
}

export class Reports {
  /** Epoch of the session that carries the reports, not of the one that delivered the commands. */
  @IsInt() @Min(1) epoch!: number
  @IsArray() @ArrayMaxSize(MAX_BATCH) @ValidateNested({ each: true }) @Type(() => Report) reports!: Report[]
}

/** The ids that are recorded for good; the agent's journal forgets them. */
export interface ReportsAcknowledged {
  readonly acknowledged: string[]
}

/** Asked before a *once* command acts. */
export class PermitRequest {
  @IsInt() @Min(1) epoch!: number
  @Matches(UUID) commandId!: string
}

export interface Permit {
  readonly granted: boolean
  /** `ended`: the plane has ended the command; the agent drops it. */
  readonly reason?: string
}

/** One thing that a host holds. `digest` is the hash of the intent as the agent knows it (see `digestOf`). */
export class InventoryItem {
  @Matches(SUBJECT) subject!: string
  @IsInt() @Min(0) generation!: number
  @IsString() @MaxLength(32) status!: string
  @IsIn(['plane', 'host']) origin!: 'plane' | 'host'
  @IsString() @MaxLength(64) digest!: string
  @IsOptional() @ValidateNested() @Type(() => Fault) fault?: Fault | null
  /** What an operator needs to recognise the thing: never a secret. */
  @IsOptional() @IsObject() detail?: Record<string, unknown>
}

/** A page of the inventory; the plane dispatches nothing before the `last` one. */
export class InventoryPage {
  @IsInt() @Min(1) epoch!: number
  @IsArray() @ArrayMaxSize(MAX_BATCH) @ValidateNested({ each: true }) @Type(() => InventoryItem) items!: InventoryItem[]
  @IsBoolean() last!: boolean
}

/** What is seen on the host, as against what was asked for. */
export class Observation {
  @Matches(SUBJECT) subject!: string
  @IsInt() @Min(0) generation!: number
  /** The area's own operating status, e.g. `UP`. */
  @IsString() @MaxLength(32) status!: string
  @IsOptional() @ValidateNested() @Type(() => Fault) fault?: Fault | null
  /** As in the inventory: whole with what a host has of itself, else what the plane has no other word of. */
  @IsOptional() @IsObject() detail?: Record<string, unknown>
  /** What a host had of itself is no more. */
  @IsOptional() @IsBoolean() gone?: boolean
}

export class Observations {
  @IsInt() @Min(1) epoch!: number
  @IsArray()
  @ArrayMaxSize(MAX_BATCH)
  @ValidateNested({ each: true })
  @Type(() => Observation)
  observations!: Observation[]
}

export interface Heartbeat {
  readonly epoch: number
}

/** Guard by hand: a heartbeat comes thousands of times a second and must not cost a validator. */
export function isHeartbeat(value: unknown): value is Heartbeat {
  return typeof value === 'object' && value !== null && Number.isSafeInteger((value as { epoch?: unknown }).epoch)
}

export class Close {
  @IsInt() @Min(1) epoch!: number
  /** `stopping`: the agent ends in order; `leaving`: it gives its place up. */
  @IsIn(['stopping', 'leaving']) reason!: 'stopping' | 'leaving'
}
