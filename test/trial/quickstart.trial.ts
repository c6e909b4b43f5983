import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { freePort } from '../support/address.js'
import { cloneWorkingTree, giveTo } from './support/clone.js'
import { Figures } from './support/figures.js'
import { Ground } from './support/ground.js'
import { OutsidePostgres } from './support/outside-postgres.js'
import { scaled, seed } from './support/scale.js'
import { mountsBelow } from './support/sweep.js'

const isRoot = process.getuid?.() === 0
/** Numbers; initdb refuses those without an account, so that one comes with its database. */
const accounts = { nobody: 65_534, 'a user without an account': 12_345 } as const
const figures = new Figures('Quickstart from a fresh clone')

interface Case {
  readonly user: 'root' | keyof typeof accounts | 'this user'
  readonly database: 'of its own' | 'from outside'
}

const asRoot: readonly Case[] = [
  { user: 'root', database: 'of its own' },
  { user: 'a user without an account', database: 'from outside' },
  { user: 'root', database: 'from outside' },
  { user: 'nobody', database: 'of its own' },
]
const asMyself: readonly Case[] = [
  { user: 'this user', database: 'of its own' },
  { user: 'this user', database: 'from outside' },
]
/** Each installs all packages anew: the reduced trial takes one, by the seed. */
const all = isRoot ? asRoot : asMyself
const cases = scaled(all.length, 1) === 1 ? [all[seed % all.length] as Case] : all

afterAll(() => figures.print())

describe.each(cases)('npm run quickstart -- --once, by $user, with a database $database', ({ user, database }) => {
  const ground = new Ground()
  let postgres: OutsidePostgres | null = null

  afterAll(async () => {
    await postgres?.stop()
    ground.clear()
  })

  it('installs, builds, proves the main job, and leaves nothing behind', async () => {
    const clone = ground.makeDirectory('clone')
    const home = ground.makeDirectory('home')
    cloneWorkingTree(clone)
    if (database === 'from outside') postgres = await OutsidePostgres.create(ground, 'postgres')
    const uid = user === 'root' || user === 'this user' ? null : accounts[user]
    if (uid !== null) for (const directory of [clone, home]) giveTo(uid, directory)
    const ports = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`]
    const startedMs = performance.now()
    const program = ground.run(
      ['npm', 'run', 'quickstart', '--', '--once', '--http', ports[0] ?? '', '--tcp', ports[1] ?? ''],
      {
        cwd: clone,
        ...(uid === null ? {} : { uid, gid: uid }),
        env: {
          HOME: home,
          npm_config_cache: `${home}/npm-cache`,
          ...(postgres ? { DATABASE_URL: postgres.url } : {}),
        },
      },
    )
    const { code } = await program.ended
    figures.add(`${user}, database ${database}`, `${Math.round((performance.now() - startedMs) / 1000)} s`)
    expect({ code, said: program.stdout, complained: code === 0 ? '' : program.stderr }).toMatchObject({
      code: 0,
      said: expect.stringContaining('Proven.'),
    })
    expect(mountsBelow(clone)).toEqual([])
    await pause(500)
    expect(runningIn(clone)).toEqual([])
  })
})

/** Programs that work on files of the clone. */
function runningIn(directory: string): string[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.map(commandOf).filter((command) => command.includes(directory))
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}
