import type {
  EnsureSeed,
  ImageEnsured,
  MessageDone,
  Pong,
  RemoveSnapshot,
  SendMessage,
  VolumeEnsured,
} from '../../wire/guests/commands.js'
import type { GuestIntent, ImageIntent, VolumeIntent, VolumePlace } from '../../wire/guests/intent.js'
import type { AgentPort, GuestStatus, Hypervisor } from '../../wire/guests/terms.js'
import type { Fault } from '../../wire/session.js'

/** What is seen of a guest. */
export interface GuestSight {
  readonly status: GuestStatus
  /** Of the boot that it is in; null: in none. Another boot has another, a reset among them. */
  readonly bootId: string | null
  readonly agentPort: AgentPort
  readonly fault: Fault | null
}

/** What the guest's disk knows of a message. A mark outlives the boot, and the agents on both sides. */
export type MessageMark =
  | { readonly state: 'none' | 'accepted' | 'running' | 'cut-off' }
  | { readonly state: 'done'; readonly done: MessageDone }

/**
 * The way into one guest, for one caller at a time: the keeper sees to that. Every call ends when its signal fires.
 *
 * A message is put there first, together with its runner, and nothing starts; it starts by `go`, and once. `cut-off`: it was
 * started, and the boot that it ran in has ended. @throws FaultError of a layer
 */
export interface GuestChannel {
  /** One attempt, with a fresh token: an answer to an older one is none. */
  ping(signal: AbortSignal): Promise<Omit<Pong, 'unanswered'>>
  mark(messageId: string, signal: AbortSignal): Promise<MessageMark>
  put(message: SendMessage, signal: AbortSignal): Promise<void>
  go(messageId: string, signal: AbortSignal): Promise<void>
}

export interface SnapshotAsked {
  readonly guest: GuestIntent
  readonly snapshotId: string
  readonly volumes: readonly VolumePlace[]
  readonly quiesce: boolean
}

/**
 * One way to run guests. Each step says a state and may be repeated, after a crash at any moment too: it looks, does the
 * difference, and answers alike the second time. What fails throws `FaultError` with a layer's type and the tool's own words.
 * What lies on a connection is asked for only while that is up here.
 */
export interface HypervisorDriver {
  readonly hypervisor: Hypervisor
  /** Kinds beside the capability itself, known once `obstacle` has answered: `kvm`. */
  readonly kinds?: readonly string[]
  /** What of this host stands in the way, by name; null when nothing does. Asked often. */
  obstacle(): Promise<Fault | null>
  ensureImage(image: ImageIntent, signal: AbortSignal): Promise<ImageEnsured>
  /** @returns whether there was something of ours */
  removeImage(image: ImageIntent, signal: AbortSignal): Promise<boolean>
  ensureVolume(volume: VolumeIntent, signal: AbortSignal): Promise<VolumeEnsured>
  removeVolume(volume: VolumePlace, signal: AbortSignal): Promise<boolean>
  ensureSeed(seed: EnsureSeed, signal: AbortSignal): Promise<boolean>
  /** Defined, and in the power state that it says. @returns whether a stop had to be forced */
  apply(guest: GuestIntent, signal: AbortSignal): Promise<boolean>
  reset(guest: GuestIntent, how: 'reset' | 'restart', signal: AbortSignal): Promise<void>
  /** Whatever there is of it, but for volumes; also of one that nobody has told this agent of. */
  remove(guestId: string, signal: AbortSignal): Promise<boolean>
  /** @returns whether the file systems in it were frozen meanwhile */
  snapshot(asked: SnapshotAsked, signal: AbortSignal): Promise<boolean>
  removeSnapshot(asked: RemoveSnapshot, signal: AbortSignal): Promise<boolean>
  /** Null: there is none. */
  see(guestId: string): Promise<GuestSight | null>
  /** The end of its serial console. */
  console(guestId: string, chars: number): Promise<string>
  channel(guestId: string): GuestChannel
  /** Ids of all that it has, also of those that nobody has told this agent of. */
  list(): Promise<readonly string[]>
  /** Told when something about a guest may be seen anew; returns how to stop that. */
  watch?(onChange: (guestId: string) => void): () => void
  /** The agent ends; guests go on. */
  close?(): Promise<void>
}
