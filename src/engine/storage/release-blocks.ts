import type { HolderOrigin, HolderRow } from './storage-holders.queries.js'
import type { ReleaseBlockView } from './storage-target.dto.js'

type Holder = Pick<
  HolderRow,
  | 'origin'
  | 'provisioningStatus'
  | 'leaving'
  | 'preexisting'
  | 'hostConnected'
  | 'fault'
  | 'observedFault'
  | 'storageName'
>

/** All that has to happen before the target is let go of there, and that it never will be. */
export function releaseBlocks(holder: Holder, users: number): ReleaseBlockView[] {
  const blocks = blocksOf[holder.origin](holder)
  if (users > 0) blocks.push({ type: 'used', message: `${users} others use it` })
  if (holder.preexisting)
    blocks.push({
      type: 'preexisting',
      message: 'it was connected before its first id: the host leaves it connected, whoever lets go',
    })
  return blocks
}

const blocksOf: Readonly<Record<HolderOrigin, (holder: Holder) => ReleaseBlockView[]>> = {
  plane: (holder) => (holder.leaving ? whyNotYet(holder) : [holding(holder)]),
  host: () => [{ type: 'held-on-host', message: 'a program on the host holds it: unmanageStorageServer lets go' }],
  nobody: (holder) => (holder.leaving ? whyStillThere(holder) : [{ type: 'unmanaged', message: UNMANAGED }]),
}

const UNMANAGED = 'no id holds it: the host leaves alone what it did not connect'

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

function whyStillThere({ hostConnected, observedFault }: Holder): ReleaseBlockView[] {
  const message = observedFault
    ? `the host tries again to disconnect it: ${observedFault.message}`
    : 'no id holds it any more, and the host is disconnecting it'
  const blocks: ReleaseBlockView[] = [{ type: 'disconnecting', message }]
  if (!hostConnected)
    blocks.push({ type: 'host-away', message: 'the host has no session: it goes on, and tells how when it is back' })
  return blocks
}
