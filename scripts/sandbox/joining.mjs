import { createHash, X509Certificate } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expectStatus } from './rest.mjs'

const DAY_MS = 86_400_000

/** A join token for this machine's agent and all simulated hosts, in a file; it may replace what an earlier run has joined. */
export async function writeJoinToken(rest, { joinToken, agent }) {
  const wanted = { uses: 10_000, replace: true, lifeMs: DAY_MS }
  const path = '/api/v1/hosts/join-tokens'
  const { body } = expectStatus(await rest.post(path, wanted), 201, `POST ${path}`)
  writeFileSync(joinToken, `${body.token}\n`, { mode: 0o600 })
  forgetOtherPlane(join(agent, 'identity.json'), body.token)
}

/** An earlier run on another database left an agent that belongs to a plane that is not there. */
function forgetOtherPlane(identityFile, token) {
  const { ca } = JSON.parse(Buffer.from(token.slice('kjt_'.length), 'base64url').toString('utf8'))
  if (!authoritiesIn(identityFile).some((fingerprint) => ca.includes(fingerprint)))
    rmSync(identityFile, { force: true })
}

function authoritiesIn(identityFile) {
  try {
    const { authorities } = JSON.parse(readFileSync(identityFile, 'utf8'))
    return authorities.map((pem) => createHash('sha256').update(new X509Certificate(pem).raw).digest('hex'))
  } catch {
    return []
  }
}
