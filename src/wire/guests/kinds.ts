import { commandSpec as spec } from '../command-spec.js'
import {
  ApplyGuest,
  ConsoleRead,
  EnsureImage,
  EnsureSeed,
  EnsureVolume,
  GuestApplied,
  GuestThingRemoved,
  ImageEnsured,
  MessageDone,
  PingGuest,
  Pong,
  ReadConsole,
  RemoveGuest,
  RemoveImage,
  RemoveSnapshot,
  RemoveVolume,
  ResetGuest,
  SeedEnsured,
  SendMessage,
  SnapshotTaken,
  TakeSnapshot,
  VolumeEnsured,
} from './commands.js'

/**
 * What a host can be asked about guests. The deadlines are for who says nothing else: a guest's own timeouts do.
 *
 * Things of one guest have several nouns, so that nothing that waits in it holds up what is to end it: its channel is a queue of
 * its own (G1), and so are its image, its console and each of its snapshots. Guests of one image do not stand for each other.
 */
export const guestKinds = {
  'guests.ensureImage': spec({
    mode: 'level',
    payload: EnsureImage,
    result: ImageEnsured,
    deadlineMs: 1_800_000,
    noun: 'guest-image',
  }),
  'guests.removeImage': spec({
    mode: 'level',
    payload: RemoveImage,
    result: GuestThingRemoved,
    deadlineMs: 300_000,
    noun: 'image',
  }),
  'guests.ensureVolume': spec({
    mode: 'level',
    payload: EnsureVolume,
    result: VolumeEnsured,
    deadlineMs: 1_800_000,
    noun: 'volume',
  }),
  'guests.removeVolume': spec({
    mode: 'level',
    payload: RemoveVolume,
    result: GuestThingRemoved,
    deadlineMs: 300_000,
    noun: 'volume',
  }),
  'guests.ensureSeed': spec({
    mode: 'level',
    payload: EnsureSeed,
    result: SeedEnsured,
    deadlineMs: 60_000,
    noun: 'guest',
  }),
  'guests.apply': spec({
    mode: 'level',
    payload: ApplyGuest,
    result: GuestApplied,
    deadlineMs: 180_000,
    noun: 'guest',
  }),
  'guests.reset': spec({
    mode: 'once',
    payload: ResetGuest,
    result: GuestApplied,
    deadlineMs: 180_000,
    noun: 'guest',
  }),
  'guests.remove': spec({
    mode: 'level',
    payload: RemoveGuest,
    result: GuestThingRemoved,
    deadlineMs: 120_000,
    noun: 'guest',
  }),
  'guests.ping': spec({
    mode: 'level',
    payload: PingGuest,
    result: Pong,
    deadlineMs: 300_000,
    noun: 'guest-channel',
  }),
  'guests.message': spec({
    mode: 'once',
    payload: SendMessage,
    result: MessageDone,
    deadlineMs: 600_000,
    noun: 'guest-channel',
  }),
  'guests.snapshot': spec({
    mode: 'once',
    payload: TakeSnapshot,
    result: SnapshotTaken,
    deadlineMs: 600_000,
    noun: 'guest-snapshot',
  }),
  'guests.removeSnapshot': spec({
    mode: 'level',
    payload: RemoveSnapshot,
    result: GuestThingRemoved,
    deadlineMs: 600_000,
    noun: 'guest-snapshot',
  }),
  'guests.readConsole': spec({
    mode: 'level',
    payload: ReadConsole,
    result: ConsoleRead,
    deadlineMs: 15_000,
    noun: 'guest-console',
  }),
} as const

/** The image, for one guest. */
export const guestImageSubject = (guestId: string): string => `guest-image/${guestId}`
export const volumeSubject = (volumeId: string): string => `volume/${volumeId}`
export const guestSubject = (guestId: string): string => `guest/${guestId}`
/** The queue of what is said to one guest: made with it and gone with it (G1). */
export const channelSubject = (guestId: string): string => `guest-channel/${guestId}`
export const consoleSubject = (guestId: string): string => `guest-console/${guestId}`
export const snapshotSubject = (snapshotId: string): string => `guest-snapshot/${snapshotId}`
