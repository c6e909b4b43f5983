import type { GuestIntent, NicIntent } from '../../../wire/guests/intent.js'
import type { GuestPower, VolumeFormat } from '../../../wire/guests/terms.js'
import { escaped } from './xml.js'

export const AGENT_PORT = 'org.qemu.guest_agent.0'
const PREFIX = 'keelson-'
const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'
const NAME = new RegExp(`^${PREFIX}(${UUID})$`)

/** By its name a domain is ours. */
export const domainName = (guestId: string): string => `${PREFIX}${guestId}`
export const guestOfDomain = (name: string): string | null => NAME.exec(name)?.[1] ?? null

/** How processors are made: by KVM, or in software. */
export type Acceleration = 'kvm' | 'tcg'

export interface DomainDisk {
  readonly path: string
  readonly format: VolumeFormat
}

/** Where things of a guest are on this host. */
export interface DomainPlaces {
  readonly acceleration: Acceleration
  /** In the order of the intent's. */
  readonly disks: readonly DomainDisk[]
  /** Null: it has none. */
  readonly seed: string | null
  readonly console: string
  readonly kernel: { readonly kernel: string; readonly initrd: string | null } | null
}

const KEELSON = 'urn:keelson:guest'

/** The domain as libvirt is to define it. The same guest is the same text. */
export function domainXml(guest: GuestIntent, places: DomainPlaces): string {
  const { id, name, vcpus, memoryMiB, power } = guest
  const lines = [
    `<domain type='${places.acceleration === 'kvm' ? 'kvm' : 'qemu'}'>`,
    `  <name>${domainName(id)}</name>`,
    `  <uuid>${id}</uuid>`,
    `  <title>${escaped(name)}</title>`,
    `  <metadata><keelson:guest xmlns:keelson='${KEELSON}' power='${power}'/></metadata>`,
    `  <memory unit='MiB'>${memoryMiB}</memory>`,
    `  <vcpu>${vcpus}</vcpu>`,
    ...boot(guest, places),
    '  <features><acpi/><apic/></features>',
    cpu[places.acceleration],
    "  <clock offset='utc'/>",
    '  <on_poweroff>destroy</on_poweroff>',
    '  <on_reboot>restart</on_reboot>',
    '  <on_crash>destroy</on_crash>',
    '  <devices>',
    "    <controller type='usb' model='none'/>",
    ...places.disks.map(diskXml),
    ...(places.seed === null ? [] : seedXml(places.seed)),
    ...guest.nics.flatMap(nicXml),
    ...(guest.channel ? [`    <channel type='unix'><target type='virtio' name='${AGENT_PORT}'/></channel>`] : []),
    `    <serial type='pty'><target port='0'/><log file='${escaped(places.console)}' append='off'/></serial>`,
    "    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>",
    "    <memballoon model='virtio'/>",
    '  </devices>',
    '</domain>',
  ]
  return `${lines.join('\n')}\n`
}

/** Whether a domain's definition wants it to run, when it ended with nobody having asked for that. */
export const powerIn = (xml: string): GuestPower | null =>
  (/<keelson:guest [^>]*power=['"](\w+)['"]/.exec(xml)?.[1] as GuestPower | undefined) ?? null

/** In software, one that distributions of today are built for (x86-64-v2), and that QEMU has all of. */
const cpu: Readonly<Record<Acceleration, string>> = {
  kvm: "  <cpu mode='host-model' check='partial'/>",
  tcg: "  <cpu mode='custom' match='exact' check='none'><model fallback='forbid'>Nehalem</model></cpu>",
}

/** `pc`: a disk can be plugged into it while it runs, without a port kept free for each. */
function boot({ kernel }: GuestIntent, places: DomainPlaces): string[] {
  const direct = places.kernel
  return [
    '  <os>',
    "    <type arch='x86_64' machine='pc'>hvm</type>",
    ...(direct === null || kernel == null
      ? ["    <boot dev='hd'/>"]
      : [
          `    <kernel>${escaped(direct.kernel)}</kernel>`,
          ...(direct.initrd === null ? [] : [`    <initrd>${escaped(direct.initrd)}</initrd>`]),
          `    <cmdline>${escaped(kernel.commandLine)}</cmdline>`,
        ]),
    '  </os>',
  ]
}

export function diskXml({ path, format }: DomainDisk, index: number): string {
  const driver = `<driver name='qemu' type='${format}' discard='unmap'/>`
  return `    <disk type='file' device='disk'>${driver}<source file='${escaped(path)}'/><target dev='${diskTarget(index)}' bus='virtio'/></disk>`
}

export const diskTarget = (index: number): string => `vd${String.fromCharCode(97 + index)}`

/** On SCSI: kernels made for clouds have no driver of a SATA drive. */
const seedXml = (path: string): string[] => [
  "    <controller type='scsi' model='virtio-scsi'/>",
  `    <disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='${escaped(path)}'/><target dev='sda' bus='scsi'/><readonly/></disk>`,
]

function nicXml({ mac, network }: NicIntent): string[] {
  const rest = `<mac address='${mac}'/><model type='virtio'/></interface>`
  if (network.bridge !== null)
    return [`    <interface type='bridge'><source bridge='${escaped(network.bridge)}'/>${rest}`]
  // without a bridge, QEMU itself is the network: out, and not in
  const [address, prefix] = network.cidr.split('/') as [string, string]
  const family = address.includes(':') ? 'ipv6' : 'ipv4'
  return [`    <interface type='user'><ip family='${family}' address='${address}' prefix='${prefix}'/>${rest}`]
}
