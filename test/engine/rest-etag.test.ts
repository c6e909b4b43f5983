import { startToys, type ToyEngine } from './support/toy.js'

let toys: ToyEngine

beforeAll(async () => {
  toys = await startToys()
})
afterAll(() => toys.stop())

async function toy(): Promise<string> {
  const { headers } = await toys.client.post('/api/v1/toys', { name: 'cart' })
  return String(headers.get('location'))
}

const rename = (path: string, ifMatch?: string) =>
  toys.client.patch(path, { name: 'wagon' }, { headers: ifMatch === undefined ? {} : { 'if-match': ifMatch } })

describe('If-Match', () => {
  it('is the ETag that a read gave, and changes with each change', async () => {
    const path = await toy()
    const { headers } = await toys.client.get(path)
    expect(headers.get('etag')).toBe('"g1"')
    const changed = await rename(path, '"g1"')
    expect([changed.status, changed.headers.get('etag')]).toEqual([200, '"g2"'])
  })

  it.each([
    ['another version', '"g7"'],
    ['no version of the list', '"g7", "g8"'],
    ['a weak tag', 'W/"g1"'],
    ['a tag that is none of ours', '"1"'],
  ])('of %s is 412 and changes nothing', async (_what, ifMatch) => {
    const path = await toy()
    const { status, body } = await rename(path, ifMatch)
    expect(status).toBe(412)
    expect(body).toMatchObject({
      type: 'urn:keelson:problem:precondition-failed',
      detail: 'the current version is "g1"',
    })
    expect((await toys.client.get(path)).body.name).toBe('cart')
  })

  it.each([['*'], ['"g1"'], ['"g0" , "g1"'], ['"a,b","g1"'], [undefined]])(
    'as %s lets the change through',
    async (ifMatch) => {
      expect((await rename(await toy(), ifMatch)).status).toBe(200)
    },
  )

  it.each([['g1'], ['"g1'], ['"g1" "g2"'], ['""g1""'], ['*, "g1"'], [' '], [',']])(
    'as %s is malformed',
    async (ifMatch) => {
      expect((await rename(await toy(), ifMatch)).status).toBe(400)
    },
  )
})
