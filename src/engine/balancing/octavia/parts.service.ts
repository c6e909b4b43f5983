import { randomUUID } from 'node:crypto'
import { Injectable } from '@nestjs/common'
import type { Caller } from '../../platform/caller.js'
import { isPending } from '../../platform/provisioning.js'
import { putMembers } from '../edits/members.js'
import { MemberCreate } from '../member.dto.js'
import type { Edit, Tree } from '../tree.js'
import { OctaviaChanging } from './changing.service.js'
import { checked } from './checked.js'
import { type Input, readInput, readObject, refused } from './input.js'
import { memberInput } from './inputs.js'
import { fieldsOf } from './list-query.js'
import { type PartKind, type PartNoun, partKinds } from './parts.js'
import { type Asked, missing, OctaviaReading, picked, type Shown } from './reading.service.js'
import { pools } from './resources.js'

const MOST_IN_BATCH = 2_000

/** Everything under a balancer, by noun: a change of any of it is one of its balancer. */
@Injectable()
export class OctaviaParts {
  constructor(
    private readonly reading: OctaviaReading,
    private readonly changing: OctaviaChanging,
  ) {}

  /** @param parentId of what is listed below a path: the pool of members, the policy of rules */
  async list(caller: Caller, noun: PartNoun, asked: Asked, parentId?: string) {
    const { resource } = partKinds[noun]
    return this.reading.list(caller, resource, asked, await this.parentOf(caller, noun, parentId))
  }

  async get(caller: Caller, noun: PartNoun, id: string, { query }: Asked, parentId?: string) {
    const { resource } = partKinds[noun]
    const parent = await this.parentOf(caller, noun, parentId)
    return { [resource.one]: picked(await this.reading.show(caller, resource, id, parent), fieldsOf(query)) }
  }

  async create(caller: Caller, noun: PartNoun, body: unknown, parentId?: string) {
    const kind = partKinds[noun]
    const input = readInput(kind.input, kind.resource.one, body, 'create')
    const at = homesOf(kind, input, parentId)
    const made = await checked(kind.createClass, withoutHomes(kind, input))
    const loadBalancerId = await this.balancerOf(caller, kind, at)
    const id = randomUUID()
    // a kind's edit takes its own class
    const tree = await this.changing.change(caller, loadBalancerId, kind.create(made as never, id, at))
    return this.shown(caller, kind, id, tree)
  }

  async update(caller: Caller, noun: PartNoun, id: string, body: unknown, parentId = '') {
    const kind = partKinds[noun]
    const change = await checked(kind.updateClass, readInput(kind.input, kind.resource.one, body, 'update'))
    const edit = kind.update(id.toLowerCase(), change as never, parentId.toLowerCase())
    return this.shown(caller, kind, id, await this.changed(caller, noun, id, parentId, edit))
  }

  async delete(caller: Caller, noun: PartNoun, id: string, parentId = ''): Promise<void> {
    const edit = partKinds[noun].delete(id.toLowerCase(), parentId.toLowerCase())
    await this.changed(caller, noun, id, parentId, edit)
  }

  /** These are the members from now on; with `additiveOnly` they are so beside those that are there. */
  async putMembers(caller: Caller, poolId: string, body: unknown, additiveOnly: boolean): Promise<void> {
    const given = (body as { members?: unknown } | null | undefined)?.members
    if (!Array.isArray(given)) throw refused('members', 'The body must be {"members": […]}')
    if (given.length > MOST_IN_BATCH) throw refused('members', `There are at most ${MOST_IN_BATCH}`)
    const inputs = await Promise.all(
      given.map((one: object, index) =>
        checked(MemberCreate, readObject(memberInput, { ...one }, 'create', `members[${index}].`)),
      ),
    )
    const pool = await this.reading.require(caller, pools, poolId)
    const edit = putMembers(poolId.toLowerCase(), inputs, { additive: additiveOnly })
    await this.changing.change(caller, pool.loadBalancerId, edit)
  }

  private async changed(caller: Caller, noun: PartNoun, id: string, parentId: string, edit: Edit): Promise<Tree> {
    const { resource } = partKinds[noun]
    const parent = await this.parentOf(caller, noun, parentId || undefined)
    const { loadBalancerId } = await this.reading.require(caller, resource, id, parent)
    return this.changing.change(caller, loadBalancerId, edit)
  }

  /** @throws NotFound for a parent that there is not */
  private async parentOf(caller: Caller, noun: PartNoun, parentId: string | undefined) {
    const { parent } = partKinds[noun]
    if (!parent || parentId === undefined) return undefined
    await this.reading.require(caller, parent.resource, parentId)
    return { attribute: parent.attribute, id: parentId }
  }

  private async balancerOf(caller: Caller, { homes }: PartKind, at: Readonly<Record<string, string>>): Promise<string> {
    const found: string[] = []
    for (const { field, resource } of homes) {
      const id = at[field]
      if (id !== undefined) found.push((await this.reading.require(caller, resource, id)).loadBalancerId)
    }
    const [first = '', ...others] = found
    if (others.some((other) => other !== first))
      throw refused('listener_id', 'The listener is of another load balancer')
    return first
  }

  /** As it is now, and pending as the change left it: a fast host may have it ACTIVE by the time it is read. */
  private async shown(caller: Caller, { resource, rowsOf }: PartKind, id: string, tree: Tree) {
    const row = await this.reading.find(caller, resource, id)
    if (!row) throw missing(resource.noun, id)
    const committed = rowsOf(tree).find((one) => one.id === id.toLowerCase())
    return { [resource.one]: pendingAs(row, committed?.provisioningStatus) }
  }
}

export const pendingAs = (row: Shown, status: Tree['loadBalancer']['provisioningStatus'] | undefined): Shown =>
  status && isPending(status) ? { ...row, provisioning_status: status } : row

function homesOf({ homes }: PartKind, input: Input, parentId: string | undefined): Record<string, string> {
  const [own] = homes
  if (parentId !== undefined && own) return { [own.field]: parentId.toLowerCase() }
  const said = homes.flatMap(({ field }) => (typeof input[field] === 'string' ? [[field, input[field]] as const] : []))
  if (said.length === 0) throw refused(homes.map(({ field }) => field).join(' or '), 'Mandatory field missing')
  return Object.fromEntries(said)
}

const withoutHomes = ({ homes }: PartKind, input: object): Input =>
  Object.fromEntries(Object.entries(input).filter(([name]) => !homes.some(({ field }) => field === name)))
