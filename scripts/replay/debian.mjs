import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export const SUITE = 'bookworm'

/** A minimal Debian below the directory, and these packages with what they need. @param include names of packages */
export function debootstrap(directory, { include = [] } = {}) {
  const proxy = execFileSync('apt-config', ['dump', '--format', '%v', 'Acquire::http::Proxy'], { encoding: 'utf8' })
  const env = proxy ? { ...process.env, http_proxy: proxy } : process.env
  const packages = include.length > 0 ? [`--include=${include.join(',')}`] : []
  execFileSync('debootstrap', ['--variant=minbase', ...packages, SUITE, directory, mirror()], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env,
  })
}

/** Where this machine's own packages come from. */
function mirror() {
  const lists = ['/etc/apt/sources.list', ...below('/etc/apt/sources.list.d')]
  for (const file of lists.filter(existsSync)) {
    const text = readFileSync(file, 'utf8')
    const found = file.endsWith('.sources')
      ? inStanzas(text)
      : new RegExp(`^deb (?:\\[[^\\]]*\\] )?(\\S+) ${SUITE} `, 'm').exec(text)?.[1]
    if (found) return found
  }
  throw new Error(`no apt source of this machine offers ${SUITE}`)
}

function inStanzas(text) {
  const stanza = text.split(/\n\s*\n/).find((part) => new RegExp(`^Suites:.*\\b${SUITE}(\\s|$)`, 'm').test(part))
  return stanza && /^URIs:\s*(\S+)/m.exec(stanza)?.[1]
}

const below = (directory) => (existsSync(directory) ? readdirSync(directory).map((name) => join(directory, name)) : [])
