import { IsIn, IsObject, IsOptional, IsString, Length, Matches, MaxLength } from 'class-validator'
import {
  BalancingApplied,
  BalancingApply,
  BalancingCheck,
  BalancingChecked,
  BalancingRemove,
  BalancingRemoved,
} from './balancing/commands.js'
import { commandSpec as spec } from './command-spec.js'
import { guestKinds } from './guests/kinds.js'
import { CONNECTION_ID } from './storage/connection-id.js'

export const storageOperatingStatuses = [
  'CONNECTING',
  'UP',
  'DEGRADED',
  'DOWN',
  'STUCK',
  'DISCONNECTING',
  'UNKNOWN',
] as const
export type StorageOperatingStatus = (typeof storageOperatingStatuses)[number]

/**
 * Be managed: hold this connection from now on, and keep it up (S1, S2). What may stand in it: `storage/arguments.ts`.
 * Credentials are never told again by anybody.
 */
export class StorageManage {
  @Matches(CONNECTION_ID) connectionId!: string
  @IsString() @Length(1, 2048) uri!: string
  @IsObject() options!: Record<string, string>
  /** Secrets by name: sealed wherever they are kept, and part of no digest, list, message or argv. */
  @IsOptional() @IsObject() credentials?: Record<string, string>
}

/** The id is registered in the agent's state on disk; whether it is connected is an observation. */
export class StorageManaged {
  /** The actual target, as normalised by the agent: equal for every spelling of the same storage (S13). */
  @IsString() @MaxLength(2048) target!: string
}

/** Be no longer managed: the target is let go when its last id is gone (S3). */
export class StorageUnmanage {
  @Matches(CONNECTION_ID) connectionId!: string
}

export class StorageUnmanaged {
  /** `released` when the id was held, `absent` when there was nothing to do. */
  @IsIn(['released', 'absent']) outcome!: 'released' | 'absent'
}

/** Disconnect and connect the target of this id once, now: for a connection that an operator wants to see re-made. */
export class StorageReset {
  @Matches(CONNECTION_ID) connectionId!: string
}

export class StorageResetDone {
  @IsString() @MaxLength(2048) target!: string
  @IsOptional() @IsIn(storageOperatingStatuses) status?: StorageOperatingStatus
}

/** Everything that a host can be asked: kind → payload and result class, mode and deadline. */
export const commandKinds = {
  'storage.manage': spec({
    mode: 'level',
    payload: StorageManage,
    result: StorageManaged,
    deadlineMs: null,
    noun: 'storage-connection',
  }),
  'storage.unmanage': spec({
    mode: 'level',
    payload: StorageUnmanage,
    result: StorageUnmanaged,
    deadlineMs: null,
    noun: 'storage-connection',
  }),
  'storage.reset': spec({
    mode: 'once',
    payload: StorageReset,
    result: StorageResetDone,
    deadlineMs: 120_000,
    noun: 'storage-connection',
  }),
  'balancing.apply': spec({
    mode: 'level',
    payload: BalancingApply,
    result: BalancingApplied,
    deadlineMs: 60_000,
    noun: 'load-balancer',
  }),
  'balancing.remove': spec({
    mode: 'level',
    payload: BalancingRemove,
    result: BalancingRemoved,
    deadlineMs: 60_000,
    noun: 'load-balancer',
  }),
  'balancing.check': spec({
    mode: 'level',
    payload: BalancingCheck,
    result: BalancingChecked,
    deadlineMs: 30_000,
    noun: 'load-balancer-plan',
  }),
  ...guestKinds,
} as const

export type CommandKind = keyof typeof commandKinds
export type PayloadOf<K extends CommandKind> = InstanceType<(typeof commandKinds)[K]['payload']>
export type ResultOf<K extends CommandKind> = InstanceType<(typeof commandKinds)[K]['result']>

export function isCommandKind(kind: string): kind is CommandKind {
  return Object.hasOwn(commandKinds, kind)
}

export const storageSubject = (connectionId: string): string => `storage-connection/${connectionId}`

export const balancerSubject = (loadBalancerId: string): string => `load-balancer/${loadBalancerId}`

/** A plan is a thing of its own: it waits for no change of the balancer, and none waits for it. */
export const planSubject = (planId: string): string => `load-balancer-plan/${planId}`

/** The key part of a subject `<noun>/<key>`. */
export const subjectKey = (subject: string): string => subject.slice(subject.indexOf('/') + 1)
export const subjectNoun = (subject: string): string => subject.slice(0, subject.indexOf('/'))
