import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DomainPlaces, domainXml, powerIn } from '../../src/agent/guests/libvirt/domain-xml.js'
import { bootSector } from '../../src/agent/guests/libvirt/probe.js'
import { seedFiles } from '../../src/agent/guests/libvirt/seed-files.js'
import { quoted, taskScript } from '../../src/agent/guests/libvirt/task-script.js'
import type { GuestIntent, NicIntent } from '../../src/wire/guests/intent.js'

const ID = '0b7e6a58-3c55-4c7e-9a51-6f0f5d2f7a01'
const nic = (bridge: string | null): NicIntent => ({
  mac: '52:54:00:12:34:56',
  address: '192.0.2.10',
  network: {
    id: 'n1',
    cidr: '192.0.2.0/24',
    gateway: '192.0.2.1',
    bridge,
    createBridge: false,
    uplink: null,
    vlan: null,
    hostIsGateway: false,
  },
})
const aGuest = (more: Partial<GuestIntent> = {}): GuestIntent => ({
  id: ID,
  name: `<web> & 'co'`,
  vcpus: 2,
  memoryMiB: 512,
  disks: [],
  nics: [],
  kernel: null,
  seed: false,
  channel: true,
  power: 'RUNNING',
  stopGraceMs: 1_000,
  restartPolicy: 'never',
  ...more,
})
const places = (more: Partial<DomainPlaces> = {}): DomainPlaces => ({
  acceleration: 'tcg',
  disks: [],
  seed: null,
  console: `/state/libvirt/${ID}/console.log`,
  kernel: null,
  ...more,
})

/** As it was agreed to be: `UPDATE_GOLDEN=1` writes it anew. */
function golden(name: string, text: string): void {
  const path = join('test/golden/libvirt', name)
  if (process.env.UPDATE_GOLDEN) {
    mkdirSync('test/golden/libvirt', { recursive: true })
    writeFileSync(path, text)
  }
  expect(text).toBe(readFileSync(path, 'utf8'))
}

describe('the definition of a guest', () => {
  it('boots from its first disk, with a seed, on a bridge, by KVM', () => {
    const disks = [
      { path: '/mnt/a/volumes/1.qcow2', format: 'qcow2' as const },
      { path: `/mnt/it's "b"/volumes/2.raw`, format: 'raw' as const },
    ]
    const guest = aGuest({ nics: [nic('br0')] })
    golden('disk.xml', domainXml(guest, places({ acceleration: 'kvm', disks, seed: '/state/seed.iso' })))
  })

  it('starts a kernel in software, without a bridge, a channel or a disk', () => {
    const image = { id: ID, format: 'kernel' as const, connectionId: 'c1', files: [] }
    const guest = aGuest({ kernel: { image, commandLine: 'console=ttyS0 a="<b>"' }, nics: [nic(null)], channel: false })
    golden('kernel.xml', domainXml(guest, places({ kernel: { kernel: '/mnt/a/vmlinuz', initrd: '/mnt/a/initrd' } })))
  })

  it('says how the guest is wanted to be', () => {
    expect(powerIn(domainXml(aGuest({ power: 'PAUSED' }), places()))).toBe('PAUSED')
    // as libvirt writes it
    expect(powerIn(`<keelson:guest xmlns:keelson="urn:keelson:guest" power="STOPPED"/>`)).toBe('STOPPED')
  })
})

describe('the seed of a guest', () => {
  it('has its names, keys and addresses, and the user data as it was given', () => {
    const files = seedFiles({
      guestId: ID,
      instanceId: 'i-1',
      hostname: 'web',
      nics: [nic('br0'), { ...nic(null), mac: '52:54:00:12:34:57' }],
      sshKeys: ['ssh-ed25519 AAAA me'],
      defaultUser: 'debian',
      userData: '#!/bin/sh\ntrue\n',
    })
    golden(
      'seed.txt',
      Object.entries(files)
        .map(([name, text]) => `# ${name}\n${text}`)
        .join(''),
    )
  })
})

describe('what a message has done', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'keelson-task-'))
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  const empty = { users: [], packages: [], files: [], commands: [] }

  it('is a script that a shell takes by the letter', () => {
    for (const text of [`it's`, '$(touch x) `y` "z" \\', 'a\nb', `'''`])
      expect(execFileSync('sh', ['-c', `printf %s ${quoted(text)}`], { encoding: 'utf8' })).toBe(text)
    golden(
      'task.sh',
      taskScript({
        users: [{ name: 'ann', password: `it's`, sshKeys: ['ssh-ed25519 AAAA\n me'], groups: ['staff'], sudo: true }],
        packages: ['nginx', 'g++=4:12.2'],
        files: [{ path: '/etc/a', content: 'x', mode: '0600', owner: 'root:root' }],
        commands: [{ argv: ['echo', `it's $HOME`] }],
      }),
    )
  })

  it('writes files whole, as they are', () => {
    const path = join(directory, 'deep', `a 'b' $c`)
    const content = `x'y"$z\n${'0123456789'.repeat(1_000)}é`
    const owner = String(execFileSync('id', ['-un'], { encoding: 'utf8' })).trim()
    const script = taskScript({ ...empty, files: [{ path, content, mode: '0640', owner }] })
    execFileSync('sh', ['-c', script])
    expect(readFileSync(path, 'utf8')).toBe(content)
    expect((statSync(path).mode & 0o777).toString(8)).toBe('640')
    const none = join(directory, 'none')
    execFileSync('sh', ['-c', taskScript({ ...empty, files: [{ path: none, content: '', mode: '0600', owner }] })])
    expect(readFileSync(none, 'utf8')).toBe('')
  })

  it('ends with what fails first', () => {
    const touch = join(directory, 'touched')
    const script = taskScript({ ...empty, commands: [{ argv: ['sh', '-c', 'exit 7'] }, { argv: ['touch', touch] }] })
    let status: unknown
    try {
      execFileSync('sh', ['-c', script])
    } catch (error) {
      status = (error as { status: unknown }).status
    }
    expect(status).toBe(7)
    expect(existsSync(touch)).toBe(false)
  })
})

describe('the boot sector of the probe', () => {
  it('is one, and points at its words', () => {
    const sector = bootSector()
    expect(sector).toHaveLength(512)
    expect(sector.readUInt16LE(510)).toBe(0xaa55)
    const words = sector.readUInt16LE(sector.indexOf(Buffer.from([0xbe])) + 1) - 0x7c00
    expect(sector.toString('latin1', words, words + 8)).toBe('keelson:')
  })
})
