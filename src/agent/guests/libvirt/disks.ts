import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomically } from '../../host/write-file.js'
import { type DomainDisk, diskXml, domainName } from './domain-xml.js'
import { type Domains, disksIn, isLive } from './domains.js'
import type { Homes } from './homes.js'
import type { Virsh } from './virsh.js'

/** Disks of a guest that runs: plugged in and out as they are asked for. */
export class Disks {
  constructor(
    private readonly virsh: Virsh,
    private readonly domains: Domains,
    private readonly homes: Homes,
  ) {}

  async plug(guestId: string, wanted: readonly DomainDisk[], signal: AbortSignal): Promise<void> {
    const xml = await this.domains.xml(guestId, 'live', { signal })
    if (xml === null || !isLive(xml)) return
    const there = disksIn(xml)
    const paths = new Set(wanted.map(({ path }) => path))
    for (const [target, path] of there) {
      if (paths.has(path)) continue
      await this.virsh.call(['detach-disk', domainName(guestId), target, '--live'], { signal })
      there.delete(target)
    }
    const missing = wanted.filter(({ path }) => ![...there.values()].includes(path))
    for (const disk of missing) await this.attach(guestId, disk, freeIndex(there, disk.path), signal)
  }

  private async attach(guestId: string, disk: DomainDisk, index: number, signal: AbortSignal): Promise<void> {
    const description = join(this.homes.home(guestId), 'disk.xml')
    await writeFileAtomically(description, `${diskXml(disk, index)}\n`, 0o600)
    await this.virsh.call(['attach-device', domainName(guestId), description, '--live'], { signal })
    await rm(description, { force: true })
  }
}

/** Takes the first name that no disk has. */
function freeIndex(there: Map<string, string>, path: string): number {
  for (let index = 0; ; index += 1) {
    const target = `vd${String.fromCharCode(97 + index)}`
    if (there.has(target)) continue
    there.set(target, path)
    return index
  }
}
