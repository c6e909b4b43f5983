import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makePrivateFile, replacePrivateFile } from '../../src/engine/platform/private-file.js'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'keelson-private-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const here = () => join(directory, 'file')
const found = () => [readdirSync(directory), readFileSync(here(), 'utf8'), statSync(here()).mode & 0o777]

describe('a private file', () => {
  it('is its owner’s alone, and is replaced', async () => {
    await replacePrivateFile(here(), 'one')
    await replacePrivateFile(here(), 'two')
    expect(found()).toEqual([['file'], 'two', 0o600])
  })

  it('is made by one of many, and stays as that one made it', async () => {
    const texts = ['a', 'b', 'c', 'd', 'e']
    const made = await Promise.all(texts.map((text) => makePrivateFile(here(), text)))
    expect(made.filter(Boolean)).toHaveLength(1)
    expect(found()).toEqual([['file'], texts[made.indexOf(true)], 0o600])
  })

  it('leaves nothing behind where it cannot be placed', async () => {
    await expect(replacePrivateFile(join(directory, 'none', 'file'), 'x')).rejects.toThrow('ENOENT')
    expect(readdirSync(directory)).toEqual([])
  })
})
