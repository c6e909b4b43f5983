import type { Type } from '@nestjs/common'
import { Invalid } from '../../platform/errors.js'
import { BadInput, InputPipe } from '../../platform/validation.js'
import { within } from '../edits/faults.js'
import { createHealthMonitor, deleteHealthMonitor, updateHealthMonitor } from '../edits/health-monitors.js'
import { createL7Policy, deleteL7Policy, updateL7Policy } from '../edits/l7-policies.js'
import { createL7Rule, deleteL7Rule, updateL7Rule } from '../edits/l7-rules.js'
import { createListener, deleteListener, updateListener } from '../edits/listeners.js'
import { createMember, deleteMember, putMembers, updateMember } from '../edits/members.js'
import { createPool, deletePool, updatePool } from '../edits/pools.js'
import { HealthMonitorCreate, HealthMonitorUpdate } from '../health-monitor.dto.js'
import { L7PolicyCreate, L7PolicyUpdate } from '../l7-policy.dto.js'
import { L7RuleCreate, L7RuleUpdate } from '../l7-rule.dto.js'
import { ListenerCreate, ListenerUpdate } from '../listener.dto.js'
import { MemberCreate, MembersPut, MemberUpdate } from '../member.dto.js'
import { PoolCreate, PoolUpdate } from '../pool.dto.js'
import type { Edit } from '../tree.js'

/** A call of the native face that is not made. */
export interface PlannedEdit {
  readonly method: 'POST' | 'PATCH' | 'PUT' | 'DELETE'
  /** With or without `/api/v1`. */
  readonly path: string
  readonly body?: object
  /** Under which later ones find what this one makes. */
  readonly id?: string
}

interface PlannedRoute {
  readonly pattern: RegExp
  readonly read: (ids: readonly string[], body: unknown, id: string | undefined) => Promise<Edit>
}

const ID = '([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})'
/** What these make is the planned balancer's own, said or not. */
const NAMES_BALANCER = /^POST \/(listeners|pools)$/i
const pipe = new InputPipe()

/** @param path with `:` where an id stands */
function route<B extends object>(
  call: string,
  input: Type<B> | null,
  edit: (ids: readonly string[], body: B, id: string | undefined) => Edit,
): PlannedRoute {
  const pattern = new RegExp(`^${call.replaceAll(':', ID)}$`, 'i')
  return {
    pattern,
    read: async (ids, body, id) => {
      // by the pipe: an instance of its class, or it has thrown
      const read = input ? await pipe.transform(body ?? {}, { type: 'body', metatype: input }) : {}
      return edit(ids, read as B, id)
    },
  }
}

/** Every call of the native face that changes what stands under a balancer. Their edits say `NotFound` for what another one has. */
const routes: readonly PlannedRoute[] = [
  route('POST /listeners', ListenerCreate, (_, { loadBalancerId, ...body }, id) => (tree) => {
    requireSame(loadBalancerId, tree.loadBalancer.id)
    return createListener({ ...body, id })(tree)
  }),
  route('PATCH /listeners/:', ListenerUpdate, ([id], body) => updateListener(id!, body)),
  route('DELETE /listeners/:', null, ([id]) => deleteListener(id!)),
  route('POST /pools', PoolCreate, (_, { loadBalancerId, ...body }, id) => (tree) => {
    requireSame(loadBalancerId, tree.loadBalancer.id)
    return createPool({ ...body, id })(tree)
  }),
  route('PATCH /pools/:', PoolUpdate, ([id], body) => updatePool(id!, body)),
  route('DELETE /pools/:', null, ([id]) => deletePool(id!)),
  route('POST /pools/:/members', MemberCreate, ([pool], body, id) => createMember(pool!, { ...body, id })),
  route('PUT /pools/:/members', MembersPut, ([pool], { members, additive }) =>
    putMembers(pool!, members, { additive: additive ?? false }),
  ),
  route('PATCH /pools/:/members/:', MemberUpdate, ([pool, id], body) => updateMember(pool!, id!, body)),
  route('DELETE /pools/:/members/:', null, ([pool, id]) => deleteMember(pool!, id!)),
  route('POST /health-monitors', HealthMonitorCreate, (_, body, id) =>
    createHealthMonitor(body.poolId, { ...body, id }),
  ),
  route('PATCH /health-monitors/:', HealthMonitorUpdate, ([id], body) => updateHealthMonitor(id!, body)),
  route('DELETE /health-monitors/:', null, ([id]) => deleteHealthMonitor(id!)),
  route('POST /l7-policies', L7PolicyCreate, (_, body, id) => createL7Policy(body.listenerId, { ...body, id })),
  route('PATCH /l7-policies/:', L7PolicyUpdate, ([id], body) => updateL7Policy(id!, body)),
  route('DELETE /l7-policies/:', null, ([id]) => deleteL7Policy(id!)),
  route('POST /l7-policies/:/rules', L7RuleCreate, ([policy], body, id) => createL7Rule(policy!, { ...body, id })),
  route('PATCH /l7-policies/:/rules/:', L7RuleUpdate, ([policy, id], body) => updateL7Rule(policy!, id!, body)),
  route('DELETE /l7-policies/:/rules/:', null, ([policy, id]) => deleteL7Rule(policy!, id!)),
]

/**
 * One edit that does what all of them would, one after the other.
 * @throws Invalid, with the fields as `edits[0].body.…`
 */
export async function readPlanned(planned: readonly PlannedEdit[], loadBalancerId: string): Promise<Edit> {
  const edits: Edit[] = []
  for (const [index, one] of planned.entries()) edits.push(await readOne(one, loadBalancerId, `edits[${index}]`))
  return (tree) => edits.reduce((before, edit, index) => within(`edits[${index}].body`, () => edit(before)), tree)
}

async function readOne({ method, path, body, id }: PlannedEdit, loadBalancerId: string, at: string): Promise<Edit> {
  const call = `${method} ${path.replace(/^\/api\/v1(?=\/)/, '')}`
  for (const { pattern, read } of routes) {
    const found = pattern.exec(call)
    if (!found) continue
    const ids = found.slice(1).map((one) => one.toLowerCase())
    const whole = NAMES_BALANCER.test(call) ? { loadBalancerId, ...(body ?? {}) } : body
    return read(ids, whole, id).catch((error: unknown) => {
      throw error instanceof BadInput ? new BadInput(error.faults.map((fault) => below(`${at}.body`, fault))) : error
    })
  }
  const message = `nothing under a load balancer is changed by ${method} ${path}`
  throw new Invalid('the plan cannot be read', [{ field: `${at}.path`, message }])
}

const below = <F extends { readonly field: string }>(at: string, fault: F): F => ({
  ...fault,
  field: fault.field === '' ? at : `${at}.${fault.field}`,
})

function requireSame(said: string | null | undefined, id: string): void {
  if (said == null || said.toLowerCase() === id) return
  throw new Invalid('the plan is of one load balancer', [
    { field: 'loadBalancerId', message: `loadBalancerId must be ${id}, or be left out` },
  ])
}
