import { isIP } from 'node:net'
import { Conflict, type FieldFault } from '../../platform/errors.js'
import type { Member } from '../member.entity.js'
import type { Edit, Tree } from '../tree.js'
import { bounded } from './bounds.js'
import { faultWhen, refuse, within } from './faults.js'
import {
  altered,
  type Changes,
  changed,
  type Described,
  described,
  type Made,
  newPart,
  replaced,
  required,
} from './rows.js'

type MemberAttributes = Described & Pick<Member, 'weight' | 'backup' | 'monitorAddress' | 'monitorPort'>

export type MemberChange = Changes<MemberAttributes>

export interface NewMember extends MemberChange, Made {
  readonly address: string
  readonly protocolPort: number
  readonly networkId?: string | null
}

const memberDefaults: MemberAttributes = {
  ...described,
  weight: 1,
  backup: false,
  monitorAddress: null,
  monitorPort: null,
}

/** @throws Conflict `member-taken` */
export const createMember = (poolId: string, input: NewMember): Edit =>
  bounded((tree) => {
    required(tree.pools, poolId, 'pool')
    refuse(addressFaults(input))
    const taken = tree.members.find((member) => member.poolId === poolId && placeOf(member) === placeOf(input))
    if (taken) throw memberTaken(input, taken.id)
    return { ...tree, members: [...tree.members, made(tree, poolId, input)] }
  })

export const updateMember = (poolId: string, id: string, input: MemberChange): Edit =>
  bounded((tree) => {
    const member = requireMember(tree, poolId, id)
    refuse(addressFaults(input))
    const next = altered<Member>(member, changed<MemberAttributes>(member, input, memberDefaults))
    return { ...tree, members: replaced(tree.members, next) }
  })

export const deleteMember =
  (poolId: string, id: string): Edit =>
  (tree) => {
    requireMember(tree, poolId, id)
    return { ...tree, members: tree.members.filter((member) => member.id !== id) }
  }

/**
 * These are the members of the pool from now on, told apart by address and port: those that are there keep their ids and
 * what is not said of them. With `additive` none leaves.
 */
export const putMembers = (poolId: string, inputs: readonly NewMember[], how: { readonly additive: boolean }): Edit =>
  bounded((tree) => withMembers(tree, poolId, inputs, how))

/** Not bounded yet. */
export function withMembers(
  tree: Tree,
  poolId: string,
  inputs: readonly NewMember[],
  { additive }: { readonly additive: boolean },
): Tree {
  required(tree.pools, poolId, 'pool')
  const said = new Map<string, NewMember>()
  for (const [index, input] of inputs.entries()) {
    within(`members[${index}]`, () => refuse(addressFaults(input)))
    if (said.has(placeOf(input))) throw memberTaken(input)
    said.set(placeOf(input), input)
  }
  const kept = tree.members.flatMap((member) => {
    const input = member.poolId === poolId ? said.get(placeOf(member)) : undefined
    if (!input) return additive || member.poolId !== poolId ? [member] : []
    said.delete(placeOf(member))
    return [altered<Member>(member, changed<MemberAttributes>(member, input, memberDefaults))]
  })
  return { ...tree, members: [...kept, ...[...said.values()].map((input) => made(tree, poolId, input))] }
}

function requireMember({ pools, members }: Tree, poolId: string, id: string): Member {
  required(pools, poolId, 'pool')
  const ofPool = members.filter((member) => member.poolId === poolId)
  return required(ofPool, id, 'member')
}

const made = (tree: Tree, poolId: string, input: NewMember): Member => ({
  ...newPart(tree, input.id),
  ...changed(memberDefaults, input, memberDefaults),
  poolId,
  networkId: input.networkId ?? null,
  address: spelled(input.address),
  protocolPort: input.protocolPort,
})

/** Where clouds tell a machine its secrets: who could lead requests there would be told those of the host. */
const METADATA = ['169.254.169.254', '::ffff:a9fe:a9fe']

/** An address with a zone is one host's own, and means nothing on another. */
function addressFaults(said: { readonly address?: string; readonly monitorAddress?: string | null }): FieldFault[] {
  return (['address', 'monitorAddress'] as const).flatMap((field) => {
    const address = said[field]
    if (address === undefined || address === null) return []
    if (isIP(address) === 0 || address.includes('%'))
      return [{ field, message: `${field} must be an IP address without a zone` }]
    return faultWhen(METADATA.includes(spelled(address)), field, `${address} is not for members`)
  })
}

type Place = Pick<Member, 'address' | 'protocolPort'>

const placeOf = ({ address, protocolPort }: Place): string => `${spelled(address)} ${protocolPort}`

/** One spelling for an address of IPv6, or the same member could be there twice. */
const spelled = (address: string): string =>
  address.includes(':') ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address

const memberTaken = ({ address, protocolPort }: Place, memberId?: string): Conflict =>
  new Conflict(`the pool has the member ${address} port ${protocolPort} already`, 'member-taken', { memberId })
