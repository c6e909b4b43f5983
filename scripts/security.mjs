#!/usr/bin/env node
/**
 * Asks the registry for known vulnerabilities of what an installation holds (`npm audit --omit=dev`). Each finding has to be
 * argued in docs/security.md, by the id of its advisory. A registry that cannot answer fails nobody, and is said loudly:
 * exit code 69.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const UNANSWERED = 69
const PATIENCE_MS = 60_000
const repository = fileURLToPath(new URL('..', import.meta.url))

const { stdout, stderr, error } = spawnSync('npm', ['audit', '--omit=dev', '--json'], {
  cwd: repository,
  encoding: 'utf8',
  timeout: PATIENCE_MS,
})
const answer = parse(stdout)
if (error || answer?.vulnerabilities === undefined) unanswered(error?.message ?? answer?.message ?? stderr.trim())
else judge(Object.values(answer.vulnerabilities))

function judge(vulnerabilities) {
  // what is reached through another package names that package alone
  const advisories = vulnerabilities.flatMap(({ via }) => via.filter((one) => typeof one === 'object'))
  const found = new Map(advisories.map((advisory) => [idOf(advisory), advisory]))
  const argued = readFileSync(`${repository}/docs/security.md`, 'utf8')
  const open = [...found].filter(([id]) => !argued.includes(id))
  for (const [id, { name, severity, title, url }] of open) say(`${severity}  ${name}  ${id}: ${title}\n    ${url}`)
  say(`npm audit: ${found.size} findings, ${found.size - open.length} of them argued in docs/security.md`)
  process.exitCode = open.length > 0 ? 1 : 0
}

function idOf({ url, source }) {
  return url?.split('/').at(-1) ?? String(source)
}

function unanswered(reason) {
  const line = '!'.repeat(80)
  say(`${line}\nNOT ANSWERED: the registry did not say which packages have known vulnerabilities.\n${reason}`)
  say(`Run \`npm run security\` where it does, before a release.\n${line}`)
  process.exitCode = UNANSWERED
}

function parse(text) {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function say(text) {
  process.stdout.write(`${text}\n`)
}
