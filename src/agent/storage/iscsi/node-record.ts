import type { Means } from '../driver.js'

/** How long input and output wait for a connection that was lost; then they fail, and the session is made anew. */
export const REPLACEMENT_TIMEOUT_S = 30

type Settings = Readonly<Record<string, string | undefined>>

/** A portal that does not answer is given up within 15 s, not after the 120 s of the iscsid.conf that is shipped. */
const always: Settings = {
  'node.startup': 'manual',
  'node.leading_login': 'No',
  'node.conn[0].startup': 'manual',
  'node.conn[0].timeo.login_timeout': '5',
  'node.conn[0].timeo.logout_timeout': '15',
  'node.conn[0].timeo.noop_out_interval': '5',
  'node.conn[0].timeo.noop_out_timeout': '5',
  'node.session.initial_login_retry_max': '2',
  'node.session.nr_sessions': '1',
  'node.session.scan': 'auto',
  'node.session.timeo.replacement_timeout': `${REPLACEMENT_TIMEOUT_S}`,
}

/**
 * The record that iscsiadm has made of its iscsid.conf, with what is asked of this connection in its place. Where nothing is
 * said of CHAP, what iscsid.conf says of it holds.
 */
export function nodeRecord(text: string, means: Means): string {
  const settings = { ...always, ...chapSettings(means), ...digestSettings(means) }
  const kept = text.split('\n').filter((line) => !Object.hasOwn(settings, nameIn(line)))
  const said = Object.entries(settings).flatMap(([name, value]) => (value === undefined ? [] : [`${name} = ${value}`]))
  const end = kept.findIndex((line) => line.startsWith('# END RECORD'))
  return kept.toSpliced(end === -1 ? kept.length : end, 0, ...said).join('\n')
}

/** A name without a value is taken out. */
function chapSettings({ options, credentials }: Means): Settings {
  if (options.chapUser === undefined) return {}
  return {
    'node.session.auth.authmethod': 'CHAP',
    'node.session.auth.username': options.chapUser,
    'node.session.auth.password': credentials.chapPassword,
    'node.session.auth.username_in': options.chapUserIn,
    'node.session.auth.password_in': credentials.chapPasswordIn,
  }
}

function digestSettings({ options: { headerDigest, dataDigest } }: Means): Settings {
  return {
    ...(headerDigest !== undefined && { 'node.conn[0].iscsi.HeaderDigest': headerDigest }),
    ...(dataDigest !== undefined && { 'node.conn[0].iscsi.DataDigest': dataDigest }),
  }
}

const nameIn = (line: string): string => line.split('=')[0]!.trim()
