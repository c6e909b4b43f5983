// Writes openapi.json from the built program, or with --check says whether the committed file is that.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const program = join(root, 'dist', 'src', 'main.js')
const committed = join(root, 'openapi.json')
const check = process.argv.includes('--check')

if (!existsSync(program)) fail('dist is missing: run `npm run build` first')
const directory = mkdtempSync(join(root, '.openapi-'))
try {
  const generated = join(directory, 'openapi.json')
  // the swagger plugin works at build time: only dist knows every type
  const { status } = spawnSync(process.execPath, [program, 'openapi', '--out', generated], { stdio: ['ignore', 2, 2] })
  if (status !== 0) {
    console.error('the document could not be generated')
    process.exitCode = 1
  } else if (!check) renameSync(generated, committed)
  else compare(readFileSync(generated, 'utf8'), existsSync(committed) ? readFileSync(committed, 'utf8') : '')
} finally {
  rmSync(directory, { recursive: true, force: true })
}

function compare(now, then) {
  if (now === then) return
  const [a, b] = [then.split('\n'), now.split('\n')]
  const at = a.findIndex((line, index) => line !== b[index])
  const around = (lines, sign) => lines.slice(Math.max(at, 0), Math.max(at, 0) + 5).map((line) => `${sign} ${line}`)
  console.error(
    [`openapi.json is not what the program generates; from line ${at + 1}:`, ...around(a, '-'), ...around(b, '+')].join(
      '\n',
    ),
  )
  console.error('run `npm run openapi` and commit the file')
  process.exitCode = 1
}

function fail(message) {
  console.error(message)
  process.exit(1)
}
