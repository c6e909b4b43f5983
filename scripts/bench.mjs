#!/usr/bin/env node
/**
 * The benchmarks, with all that they need: `npm run bench -- [name…] [--smoke] [--json FILE] [--readme]`. `--readme` puts
 * what a full run printed between the markers of README.md, which quotes nothing else.
 */
import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ensureBuilt, ensureInstalled } from './setup.mjs'

const repository = fileURLToPath(new URL('..', import.meta.url))
const readme = `${repository}README.md`
const args = process.argv.slice(2).filter((arg) => arg !== '--readme')
const intoReadme = process.argv.includes('--readme')

if (intoReadme && args.length > 0) {
  process.stderr.write('--readme takes a full run: no names, no --smoke\n')
  process.exit(64)
}
await ensureInstalled()
await ensureBuilt()
const bench = spawn(process.execPath, ['dist/bench/main.js', ...args], {
  cwd: repository,
  stdio: ['inherit', 'pipe', 'inherit'],
})
process.on('SIGINT', () => {})
process.on('SIGTERM', () => bench.kill('SIGTERM'))
let printed = ''
bench.stdout.setEncoding('utf8').on('data', (text) => {
  printed += text
  process.stdout.write(text)
})
bench.on('exit', (code) => {
  if (code === 0 && intoReadme) quote(printed)
  process.exitCode = code ?? 1
})

/** The machine's lines and the table, without the progress between them. */
function quote(text) {
  const machine = text.slice(0, text.indexOf('\n\n')).trimEnd()
  const table = text.slice(text.lastIndexOf('\n\nbench ')).trim()
  const body = ['```', machine, '', table, '```'].join('\n')
  const before = readFileSync(readme, 'utf8')
  const after = before.replace(
    /(<!-- bench:begin[^>]*-->\n)[\s\S]*?(<!-- bench:end -->)/,
    (_, begin, end) => `${begin}${body}\n${end}`,
  )
  writeFileSync(readme, after)
}
