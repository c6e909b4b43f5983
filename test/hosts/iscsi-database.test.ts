import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Run, run } from '../../src/agent/host/run.js'
import { createIscsiadm } from '../../src/agent/storage/iscsi/iscsiadm.js'
import { NodeDatabase } from '../../src/agent/storage/iscsi/node-database.js'
import type { Portal } from '../../src/agent/storage/iscsi/portal.js'
import { describeAsRoot } from '../agent/support/root.js'
import { temporaryDirectory } from '../agent/support/temporary.js'

/** The real iscsiadm, on a database of its own: what it keeps needs neither iscsid nor the kernel. */
describeAsRoot('iscsiadm’s database', () => {
  const name = 'iqn.2026-01.test.example:disks'
  const portal: Portal = { name, host: '10.0.0.5', port: 3260, portalGroup: 1 }
  const secret = 'pass=word#with"signs\'$1'

  async function place() {
    const root = await temporaryDirectory()
    writeFileSync(join(root, 'initiatorname.iscsi'), 'InitiatorName=iqn.2026-01.test.example:host\n')
    writeFileSync(join(root, 'iscsid.conf'), 'node.startup = automatic\n')
    // each call sees the directory in the place of /etc/iscsi, and nobody else does
    const inside: Run = (program, args, options) =>
      run('unshare', ['-m', 'sh', '-c', 'mount --bind "$0" /etc/iscsi && exec "$@"', root, program, ...args], options)
    const show = (...args: string[]) =>
      execFileSync('unshare', ['-m', 'sh', '-c', 'mount --bind "$0" /etc/iscsi && exec iscsiadm "$@"', root, ...args], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      })
    const record = (host: string, iface = 'keelson') =>
      show('-m', 'node', '-T', name, '-p', host, '-I', iface, '--show')
    const files = () =>
      readdirSync(root, { recursive: true, withFileTypes: true })
        .filter((entry) => !entry.isDirectory() && /nodes|static/.test(entry.parentPath))
        .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
        .sort()
    const open = () => new NodeDatabase(createIscsiadm(inside), [root])
    return { root, open, database: open(), record, show, files }
  }

  it('reads what was written into it, secrets with all their signs, and shows them to nobody else', async () => {
    const { root, database, record } = await place()
    const options = { chapUser: 'alice', chapUserIn: 'target', dataDigest: 'CRC32C' }
    await database.write(portal, { options, credentials: { chapPassword: secret, chapPasswordIn: 'x'.repeat(255) } })
    const read = record('10.0.0.5:3260,1').split('\n')
    for (const line of [
      'node.startup = manual',
      'node.session.auth.authmethod = CHAP',
      'node.session.auth.username = alice',
      `node.session.auth.password = ${secret}`,
      'node.session.auth.username_in = target',
      `node.session.auth.password_in = ${'x'.repeat(255)}`,
      'node.session.timeo.replacement_timeout = 30',
      'node.session.initial_login_retry_max = 2',
      'node.conn[0].timeo.login_timeout = 5',
      'node.conn[0].iscsi.DataDigest = CRC32C',
    ]) {
      expect(read).toContain(line)
    }
    const file = statSync(join(root, `nodes/${name}/10.0.0.5,3260,1/keelson`))
    expect(file.mode & 0o777).toBe(0o600)
  })

  it('holds nothing of ours any more after a removal, and all of an administrator’s', async () => {
    const { database, show, files } = await place()
    show('-m', 'node', '-T', name, '-p', '10.0.0.5:3260,1', '-o', 'new')
    const before = files()
    const others = [
      { ...portal, host: '[fd00::5]' },
      { ...portal, portalGroup: 7 },
      { ...portal, host: 'localhost' },
    ]
    for (const each of [portal, ...others]) await database.write(each, { options: {}, credentials: {} })
    expect(files()).toHaveLength(before.length + 8)
    await database.remove(portal)
    expect(files()).toHaveLength(before.length + 6)
    for (const each of others) await database.remove(each)
    await database.remove(portal)
    expect(files()).toEqual(before)
  })

  it('takes a record anew that a crash has left empty, and sweeps what has no session', async () => {
    const { root, open, database, record, files } = await place()
    const directory = join(root, `nodes/${name}/10.0.0.5,3260,1`)
    mkdirSync(directory, { recursive: true })
    writeFileSync(join(directory, 'keelson'), '')
    await database.write(portal, { options: {}, credentials: {} })
    expect(record('10.0.0.5:3260,1')).toContain(`node.name = ${name}\n`)
    writeFileSync(join(directory, 'keelson.new'), 'secret')
    // what an agent has written itself is in use
    await database.sweep([])
    expect(files()).toHaveLength(3)
    await open().sweep([])
    expect(files()).toEqual([])
    expect(readFileSync(join(root, 'ifaces/keelson'), 'utf8')).toContain('iface.transport_name = tcp')
  })
})
