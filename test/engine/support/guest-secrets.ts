import { type GuestPlane, guestPlane, guestsPath, PATIENCE } from '../../simulate/support/guests.js'
import { eventually } from '../../support/eventually.js'
import type { HttpClient } from '../../support/http.js'
import { canary } from './secret-field.js'

interface Live {
  readonly tcp: string
  readonly admin: HttpClient
}

/** What is told to guests: well, and badly. */
export const guestFields = [
  planted('guests.create.userData', (secret) => ({ userData: `#cloud-config\n# ${secret}` })),
  planted('guests.create.password', (password) => ({ prepare: { users: [{ name: 'canary', password }] } })),
  planted('guests.create.content', (content) => ({ prepare: { files: [{ path: '/etc/canary', content }] } })),
  said('guests.run.password', (password) => ({ users: [{ name: 'canary', password }] })),
  said('guests.run.argv', (secret) => ({ commands: [{ argv: ['echo', secret] }] })),
]

function said(name: string, task: (secret: string) => object) {
  return {
    name,
    plant: async (at: Live): Promise<string> => {
      const [secret, plane] = [canary('said'), await planeOf(at)]
      const { id } = await plane.create(`said-${guestFields.findIndex((field) => field.name === name)}`)
      await plane.until(id, { provisioningStatus: 'ACTIVE' })
      const path = `${guestsPath}/${id}/messages`
      const { status } = await at.admin.post(path, { ...task(secret), surprise: secret })
      if (status !== 422) throw new Error(`a field that there is not is answered by ${status}`)
      const { body } = await at.admin.post(path, task(secret))
      await eventually(async () => {
        const messages = (await at.admin.get(path)).body.items
        expect(messages).toContainEqual(expect.objectContaining({ id: body.id, state: 'succeeded' }))
      }, PATIENCE)
      return secret
    },
  }
}

function planted(name: string, more: (secret: string) => object) {
  return {
    name,
    plant: async (at: Live): Promise<string> => {
      const [secret, plane] = [canary('guest'), await planeOf(at)]
      const { id } = await plane.create(`canary-${guestFields.findIndex((field) => field.name === name)}`, more(secret))
      await plane.until(id, { provisioningStatus: 'ACTIVE' })
      for (const wrong of [{ name: 'Not A Name' }, { userData: [secret] }, { vcpus: 1_000_000 }]) {
        const { status } = await at.admin.post(guestsPath, plane.request('wrong', { ...more(secret), ...wrong }))
        if (status !== 422) throw new Error(`${JSON.stringify(wrong)} is answered by ${status}`)
      }
      return secret
    },
  }
}

let plane: Promise<GuestPlane> | null = null

/** One for all of them. */
function planeOf({ tcp, admin }: Live): Promise<GuestPlane> {
  const { hostname: host, port } = new URL(`tcp://${tcp}`)
  const joinToken = async () => {
    const { body } = await admin.post('/api/v1/hosts/join-tokens', { uses: 10, replace: true })
    return body.token
  }
  plane ??= guestPlane({}, { engine: { http: admin, tcp: { host, port: Number(port) }, joinToken } })
  return plane
}
