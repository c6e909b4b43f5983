import type { ReleaseBlockView } from './storage-target.dto.js'
import type { HolderRow } from './storage-targets.queries.js'

type Holder = Pick<
  HolderRow,
  'provisioningStatus' | 'leaving' | 'hostConnected' | 'fault' | 'storageName' | 'connectionId'
>

/** All that has to happen before this holder lets go of its target. */
export function releaseBlocks(holder: Holder, users: number): ReleaseBlockView[] {
  const blocks = holder.leaving ? whyNotYet(holder) : [holding(holder)]
  if (users > 0) blocks.push({ type: 'used', message: `${users} others use it` })
  return blocks
}

function holding({ storageName }: Holder): ReleaseBlockView {
  if (storageName === null) return { type: 'held', message: 'the id holds it: delete it' }
  return { type: 'storage', message: `the storage ${storageName} keeps it there: delete that, or except the host` }
}

function whyNotYet({ provisioningStatus, hostConnected, fault }: Holder): ReleaseBlockView[] {
  const blocks: ReleaseBlockView[] = []
  if (provisioningStatus === 'ERROR') {
    blocks.push({ type: 'failed', message: fault?.message ?? 'the host could not let go: delete it again' })
  } else blocks.push({ type: 'under-way', message: 'the host was asked to let go, and has not confirmed' })
  if (!hostConnected)
    blocks.push({
      type: 'host-away',
      message: 'the host has no session: it lets go when it is back, or forget its tombstone',
    })
  return blocks
}
