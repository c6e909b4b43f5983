import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { readConsole } from './console.js'
import type { Acceleration } from './domain-xml.js'
import type { Homes } from './homes.js'
import { unless } from './power.js'
import { type Virsh, VirshError } from './virsh.js'
import { escaped } from './xml.js'

const DEADLINE_MS: Readonly<Record<Acceleration, number>> = { kvm: 15_000, tcg: 60_000 }
const LOOK_EVERY_MS = 50
const WORDS = 'keelson: this host runs guests'
const SECTOR_BYTES = 512

/** A boot sector that writes the words to the first serial port, and halts (16-bit x86). */
export function bootSector(): Buffer {
  const code = [
    ...[0xfc, 0x31, 0xc0, 0x8e, 0xd8], // cld; xor ax,ax; mov ds,ax
    ...[0xba, 0xf8, 0x03], // mov dx,0x3f8
    ...[0xbe, 0x16, 0x7c], // mov si,words
    ...[0xac, 0x84, 0xc0, 0x74, 0x03, 0xee, 0xeb, 0xf8], // next: lodsb; test al,al; jz end; out dx,al; jmp next
    ...[0xf4, 0xeb, 0xfd], // end: hlt; jmp end
  ]
  const sector = Buffer.alloc(SECTOR_BYTES)
  Buffer.from([...code, ...Buffer.from(`${WORDS}\r\n\0`)]).copy(sector)
  sector.writeUInt16LE(0xaa55, SECTOR_BYTES - 2)
  return sector
}

/**
 * Starts a machine so, and waits for what it has to say: a device that is there, and that libvirt takes, may hang all the same.
 * @returns null: it spoke; else why not
 */
export async function probe(virsh: Virsh, homes: Homes, acceleration: Acceleration): Promise<string | null> {
  await homes.prepare()
  const name = `keelson-probe-${acceleration}`
  const [disk, console, description] = ['img', 'log', 'xml'].map((end) => join(homes.root, `${name}.${end}`)) as [
    string,
    string,
    string,
  ]
  const end = async () => {
    await virsh.call(['destroy', name], { deadlineMs: 10_000 }).catch(unless(() => true))
    for (const path of [disk, console, description]) await rm(path, { force: true })
  }
  await end()
  try {
    await writeFile(disk, Buffer.concat([bootSector(), Buffer.alloc(1_048_576 - SECTOR_BYTES)]), { mode: 0o600 })
    await writeFile(description, probeXml(name, acceleration, disk, console))
    await virsh.call(['create', description], { deadlineMs: DEADLINE_MS[acceleration] })
    return await untilItSpeaks(console, DEADLINE_MS[acceleration])
  } catch (error) {
    if (error instanceof VirshError) return error.words
    throw error
  } finally {
    await end()
  }
}

async function untilItSpeaks(console: string, deadlineMs: number): Promise<string | null> {
  const untilMs = performance.now() + deadlineMs
  while (performance.now() < untilMs) {
    if ((await readConsole(console, 4_000)).includes(WORDS)) return null
    await delay(LOOK_EVERY_MS)
  }
  return `a machine was started, and did nothing in ${deadlineMs / 1000} s`
}

const probeXml = (name: string, acceleration: Acceleration, disk: string, console: string): string =>
  `<domain type='${acceleration === 'kvm' ? 'kvm' : 'qemu'}'>
  <name>${name}</name>
  <memory unit='MiB'>32</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type><boot dev='hd'/></os>
  <features><acpi/></features>
  <devices>
    <controller type='usb' model='none'/>
    <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='${escaped(disk)}'/><target dev='vda' bus='virtio'/></disk>
    <serial type='pty'><target port='0'/><log file='${escaped(console)}' append='off'/></serial>
    <memballoon model='none'/>
  </devices>
</domain>
`
