import { sameArguments, sameTarget } from '../../src/wire/storage/sameness.js'

describe('what an id is asked for with again', () => {
  it.each([
    ['a slash at the end', { uri: 'nfs://server/a/' }],
    ['the host in capitals', { uri: 'nfs://SERVER/a' }],
    ['the default port', { uri: 'nfs://server:2049/a' }],
    ['the form of mount(8)', { uri: 'nfs://server:a' }],
    ['an option at its default', { uri: 'nfs://server/a', options: { version: 'auto' } }],
    ['an option at its default, in the URI', { uri: 'nfs://server/a?retrans=3' }],
  ])('is the same with %s', (_, asked) => {
    expect(sameArguments({ uri: 'nfs://server/a', options: {} }, asked)).toBe(true)
    expect(sameTarget('nfs://server/a', asked.uri)).toBe(true)
  })

  it('is the same with its options in another order, spelling and place', () => {
    const held = { uri: 'nfs://server/a', options: { ro: 'true', timeo: '50' } }
    expect(sameArguments(held, { uri: 'nfs://server/a', options: { timeo: '50', ro: '' } })).toBe(true)
    expect(sameArguments(held, { uri: 'nfs://server/a?timeo=50', options: { ro: '' } })).toBe(true)
  })

  it.each([
    ['another target', { uri: 'nfs://server/b' }],
    ['another option', { uri: 'nfs://server/a', options: { ro: '' } }],
    ['what cannot be read', { uri: 'ftp://server/a' }],
  ])('is not the same with %s', (_, asked) => {
    expect(sameArguments({ uri: 'nfs://server/a', options: {} }, asked)).toBe(false)
    expect(sameArguments(asked, { uri: 'nfs://server/a', options: {} })).toBe(false)
  })

  it('is not the same with another unit of the same session, which is of the id alone', () => {
    const uri = 'iscsi://host/iqn.2026-01.org.example'
    expect(sameArguments({ uri, options: { lun: '1' } }, { uri, options: { lun: '2' } })).toBe(false)
    expect(sameTarget(uri, `${uri};portal=1`)).toBe(true)
  })

  it('needs no credentials to be told', () => {
    const uri = 'iscsi://host/iqn.2026-01.org.example'
    expect(sameArguments({ uri, options: { chapUser: 'kim' } }, { uri: `${uri}?chapUser=kim` })).toBe(true)
  })
})
