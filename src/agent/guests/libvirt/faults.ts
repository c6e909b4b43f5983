import type { GuestLayer } from '../../../wire/guests/terms.js'
import { FaultError } from '../../fault.js'

/** A failure of a layer of the guest's. */
export const layerFault = (layer: GuestLayer, words: string): FaultError => new FaultError(layer, words)

/** What libvirt says when a domain is not there, or not running. */
const absent = /failed to get domain|[Dd]omain not found/
const stopped = /domain is not running|domain is already shut|not active/
const unreachable =
  /failed to connect to the hypervisor|Cannot recv data|client socket is closed|internal client socket/

export const isAbsent = (words: string): boolean => absent.test(words)
export const isStopped = (words: string): boolean => stopped.test(words)
export const isUnreachable = (words: string): boolean => unreachable.test(words)

/** In libvirt's words, what stands between this host and the agent in the guest. */
const agentLayers: readonly (readonly [words: RegExp, layer: GuestLayer])[] = [
  [/has not been found|has been disabled|not supported by|CommandNotFound/, 'agent-too-old'],
  [absent, 'vm-not-started'],
  [stopped, 'vm-not-started'],
  [unreachable, 'vm-not-started'],
  [/QEMU guest agent is not (connected|configured)/, 'port-never-opened'],
]

export const agentLayer = (words: string): GuestLayer =>
  agentLayers.find(([pattern]) => pattern.test(words))?.[1] ?? 'agent-silent'
