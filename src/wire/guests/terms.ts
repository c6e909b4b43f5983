/** What runs guests: each has a driver on the agent. */
export const hypervisors = ['libvirt', 'simulated'] as const
export type Hypervisor = (typeof hypervisors)[number]

/** The capability of a host on which a driver has really started a guest: `hypervisor:libvirt`, `hypervisor:libvirt:kvm`. */
export const hypervisorCapability = (hypervisor: Hypervisor, kind: string | null = null): string =>
  kind === null ? `hypervisor:${hypervisor}` : `hypervisor:${hypervisor}:${kind}`

/** `kernel`: a kernel and an initrd, started directly. */
export const imageFormats = ['qcow2', 'raw', 'kernel'] as const
export type ImageFormat = (typeof imageFormats)[number]

export const imageFileRoles = ['disk', 'kernel', 'initrd'] as const
export type ImageFileRole = (typeof imageFileRoles)[number]

export const volumeFormats = ['qcow2', 'raw'] as const
export type VolumeFormat = (typeof volumeFormats)[number]

/** How a guest is wanted to be. */
export const guestPowers = ['RUNNING', 'PAUSED', 'STOPPED'] as const
export type GuestPower = (typeof guestPowers)[number]

/** What is seen of a guest. CRASHED: it ended without being asked to. */
export const guestStatuses = ['RUNNING', 'PAUSED', 'STOPPED', 'CRASHED', 'UNKNOWN'] as const
export type GuestStatus = (typeof guestStatuses)[number]

/** What its host does when a guest ends without being asked to. */
export const restartPolicies = ['never', 'on-crash', 'always'] as const
export type RestartPolicy = (typeof restartPolicies)[number]

/** Whether the agent in the guest has its end of the channel open. NEVER: not since this boot. */
export const agentPorts = ['OPEN', 'CLOSED', 'NEVER'] as const
export type AgentPort = (typeof agentPorts)[number]

/**
 * The layers of provisioning, from the outside in, as faults name the one that failed.
 *
 * `no-host`: its host had no session while there was time, or left. `agent-too-old`: the agent in the guest lacks a command that
 * messages need. `prepare-failed`: with the exit code and the end of the output. `expired`: there was no time left, and nothing
 * else to blame.
 */
export const guestLayers = [
  'no-host',
  'storage-not-up',
  'image-bad',
  'volume-failed',
  'seed-failed',
  'vm-not-started',
  'kernel-panic',
  'port-never-opened',
  'agent-silent',
  'agent-too-old',
  'prepare-failed',
  'interrupted',
  'boot-changed',
  'expired',
] as const
export type GuestLayer = (typeof guestLayers)[number]

/** What an agent without a hypervisor answers. */
export const NO_HYPERVISOR = 'no-hypervisor'
