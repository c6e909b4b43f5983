import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { makeBase } from './base.mjs'
import { runIn } from './chroot.mjs'

/** Carries out the stages in turn. @returns the last one, which is the image, with its root, variables and directory */
export function build(stages, { context, directory, cache, log }) {
  const kept = keptByDockerignore(context)
  const built = new Map()
  for (const stage of stages) {
    const state = { root: join(directory, stage.name), env: {}, workdir: '/', user: 'root' }
    log(`FROM ${stage.image}: Debian with Node.js ${process.version} of this machine`)
    makeBase(state.root, cache)
    for (const { kind, value, text } of stage.steps) {
      log(`${kind} ${text}`)
      actions[kind](state, value, { context, kept, built })
    }
    built.set(stage.name, { ...stage, ...state })
  }
  return [...built.values()].at(-1)
}

const actions = {
  variables: (state, variables) => {
    for (const [name, value] of variables) state.env[name] = expand(value ?? '', state.env)
  },
  workdir: (state, value) => {
    state.workdir = posix.resolve(state.workdir, expand(value, state.env))
    mkdirSync(join(state.root, state.workdir), { recursive: true })
  },
  user: (state, value) => {
    state.user = value
  },
  copy: (state, { from, sources, target }, { context, kept, built }) => {
    const to = join(state.root, posix.resolve(state.workdir, target), target.endsWith('/') ? '/' : '')
    for (const source of sources) {
      if (!from && !kept.has(source)) throw new Error(`COPY ${source}: .dockerignore leaves it out`)
      copy(join(from ? built.get(from).root : context, source), to)
    }
  },
  run: (state, command) => runIn(state, command),
}

/** A file goes into a directory that ends in `/`; a directory's contents go where they are told. */
function copy(source, to) {
  if (!existsSync(source)) throw new Error(`COPY: ${source} is missing`)
  const whole = statSync(source).isDirectory()
  mkdirSync(whole || to.endsWith('/') ? to : dirname(to), { recursive: true })
  execFileSync('cp', ['-rP', '--preserve=mode,timestamps,links', whole ? `${source}/.` : source, to])
}

/** Ours leaves everything out but what it names, which is all that is understood here. */
function keptByDockerignore(context) {
  const [first, ...rest] = readFileSync(join(context, '.dockerignore'), 'utf8').trim().split('\n')
  if (first !== '*' || rest.some((line) => !line.startsWith('!')))
    throw new Error('.dockerignore: only * and !names are known here')
  return new Set(rest.map((line) => line.slice(1)))
}

const expand = (text, env) => text.replace(/\$(?:\{(\w+)\}|(\w+))/g, (_, braced, plain) => env[braced ?? plain] ?? '')
