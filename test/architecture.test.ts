import { basename } from 'node:path'
import { cyclesAmong, type SourceFile, sourcesBelow } from './support/sources.js'

/** Each imports only what stands before it (docs/adr). An engine's area is a folder below src/engine. */
const order = [
  'wire',
  'log',
  'config',
  'migrations',
  'platform',
  'events',
  'identity',
  'commands',
  'sessions',
  'hosts',
  'cluster',
  'brokers',
  'storage',
  'networks',
  'balancing',
  'guests',
  'engine',
  'cli',
] as const
type Area = (typeof order)[number]

/** Beside the engine's order: what else they may know. */
const outside: Readonly<Record<string, readonly string[]>> = {
  agent: ['wire'],
  broker: ['wire', 'agent'],
  simulate: ['wire', 'agent', 'config'],
}

/** An import against the order, and why there is no better way. */
const exceptions: Readonly<Record<string, string>> = {}

/** Longer than 300 lines, and why it is one thing all the same. */
const longFiles: Readonly<Record<string, string>> = {}

/** A default export, and which framework asks for it. */
const defaultExports: Readonly<Record<string, string>> = {}

const MAX_LINES = 300
const sources = sourcesBelow('src')

function areaOf(path: string): string {
  const [, first, second, ...deeper] = path.split('/')
  // what a program is told is part of its configuration, and the table of keys knows it by its type
  if (/^src\/(engine|agent|broker|simulate)\/config\.ts$/.test(path)) return 'config'
  if (first === 'main.ts') return 'cli'
  if (first === 'engine') return deeper.length > 0 ? second! : 'engine'
  return first!
}

function mayImport(path: string, target: string): boolean {
  const [from, to] = [areaOf(path), areaOf(target)]
  if (from === to || (outside[from] && target.startsWith(`src/${from}/`))) return true
  // the command line starts every program
  if (from === 'cli') return true
  if (outside[from]) return outside[from].includes(to)
  const [left, right] = [order.indexOf(to as Area), order.indexOf(from as Area)]
  return left >= 0 && left < right
}

const named = (files: readonly SourceFile[]) => files.map(({ path }) => path)

describe('the order of imports', () => {
  it('knows where each file stands', () => {
    const known = new Set<string>([...order, ...Object.keys(outside)])
    expect(sources.filter(({ path }) => !known.has(areaOf(path))).map(({ path }) => path)).toEqual([])
  })

  it('goes only to the left', () => {
    const against = sources.flatMap(({ path, imports }) =>
      imports.filter((target) => !mayImport(path, target)).map((target) => `${path} → ${target}`),
    )
    expect(against.filter((line) => !exceptions[line])).toEqual([])
  })

  it('has no exception that nobody needs', () => {
    const lines = sources.flatMap(({ path, imports }) => imports.map((target) => `${path} → ${target}`))
    expect(Object.keys(exceptions).filter((line) => !lines.includes(line))).toEqual([])
  })

  it('leads in no circle', () => {
    expect(cyclesAmong(sources)).toEqual([])
  })

  it('stays inside src: neither ormconfig.ts nor a test is part of the product', () => {
    expect(sources.filter(({ imports }) => imports.some((target) => !target.startsWith('src/')))).toEqual([])
  })

  it('ends at a file that exists', () => {
    const paths = new Set(named(sources))
    const broken = sources.flatMap(({ path, imports }) =>
      imports.filter((target) => !paths.has(target)).map((target) => `${path} → ${target}`),
    )
    expect(broken).toEqual([])
  })
})

describe('the shape of a file', () => {
  it('is a size that is read in one go', () => {
    expect(
      sources
        .filter(({ path, lines }) => lines > MAX_LINES && !longFiles[path])
        .map(({ path, lines }) => `${path}: ${lines}`),
    ).toEqual([])
  })

  it('has no exception that nobody needs', () => {
    const long = sources.filter(({ lines }) => lines > MAX_LINES).map(({ path }) => path)
    expect(Object.keys(longFiles).filter((path) => !long.includes(path))).toEqual([])
  })

  it('has a name that says what is in it', () => {
    const vague = sources.filter(({ path }) => /(^|\/)(utils?|common|helpers?|misc|shared)(\/|\.ts$|\.)/.test(path))
    expect(named(vague)).toEqual([])
  })

  it('is in kebab case, its role last', () => {
    expect(
      named(sources.filter(({ path }) => !/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z]+)?\.ts$/.test(basename(path)))),
    ).toEqual([])
  })

  it('is no barrel', () => {
    const barrels = sources.filter(
      ({ path, text }) => basename(path) === 'index.ts' || /^export (type )?(\*|\{[^}]*\}) from/m.test(text),
    )
    expect(named(barrels)).toEqual([])
  })

  it('has no default export where no framework asks for one', () => {
    expect(named(sources.filter(({ path, text }) => /^export default/m.test(text) && !defaultExports[path]))).toEqual(
      [],
    )
  })

  it('names its imports with the suffix that Node asks for', () => {
    const bare = sources.filter(({ text }) => /(?:from|import) '\.{1,2}\/[^']*(?<!\.js|\.json)'/.test(text))
    expect(named(bare)).toEqual([])
  })
})
