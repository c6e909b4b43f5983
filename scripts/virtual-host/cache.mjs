import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'

/** Others of the same kind: those of other checkouts on this machine, which are in use too. */
const KEPT = 3
const PARTIAL_LIFE_MS = 3_600_000

/**
 * The directory that was made from just this recipe; made now where there is none. Whoever is killed while making leaves
 * nothing that looks finished, and two at once do not meet. @param recipe texts and buffers
 */
export function cached(cache, kind, recipe, make) {
  mkdirSync(cache, { recursive: true })
  const directory = join(cache, `${kind}-${digestOf(recipe)}`)
  if (!existsSync(directory)) makeOnce(directory, make)
  // the youngest are kept
  utimesSync(directory, new Date(), new Date())
  removeOld(cache, kind, directory)
  return directory
}

function makeOnce(directory, make) {
  const partial = `${directory}.partial.${process.pid}`
  rmSync(partial, { recursive: true, force: true })
  mkdirSync(partial)
  try {
    make(partial)
    renameSync(partial, directory)
  } catch (error) {
    rmSync(partial, { recursive: true, force: true })
    // somebody else was quicker
    if (!existsSync(directory)) throw error
  }
}

function removeOld(cache, kind, current) {
  const ages = readdirSync(cache)
    .filter((name) => name.startsWith(`${kind}-`) && join(cache, name) !== current)
    .map((name) => ({ name, at: statSync(join(cache, name), { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .sort((one, other) => other.at - one.at)
  const finished = ages.filter(({ name }) => !name.includes('.partial.'))
  const abandoned = ages.filter(({ name, at }) => name.includes('.partial.') && Date.now() - at > PARTIAL_LIFE_MS)
  for (const { name } of [...finished.slice(KEPT), ...abandoned])
    rmSync(join(cache, name), { recursive: true, force: true })
}

function digestOf(recipe) {
  const hash = createHash('sha256')
  for (const part of recipe) hash.update(createHash('sha256').update(part).digest())
  return hash.digest('hex').slice(0, 16)
}
