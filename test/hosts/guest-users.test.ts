import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { taskScript } from '../../src/agent/guests/libvirt/task-script.js'
import { describeWith } from './support/needs.js'

describeWith(['unshare', 'useradd', 'chpasswd'], 'users that a message makes', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'keelson-users-'))
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  /** With an /etc and a /home that go with it. */
  function inAnotherEtc(script: string): string {
    const around = `mount -t tmpfs tmpfs ${directory} && mkdir ${directory}/upper ${directory}/work &&
mount -t overlay overlay -o lowerdir=/etc,upperdir=${directory}/upper,workdir=${directory}/work /etc &&
mount -t tmpfs tmpfs /home || exit 1`
    return execFileSync('unshare', ['--mount', 'sh', '-c', `${around}\n${script}`], { encoding: 'utf8' })
  }

  it('have their groups, keys, password and rights, and are the same when they are made again', () => {
    const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ somebody@else'
    const users = [{ name: 'kann', password: `it's "secret"`, sshKeys: [key], groups: ['kteam'], sudo: true }]
    const task = Buffer.from(taskScript({ users, packages: [], files: [], commands: [] })).toString('base64')
    const output = inAnotherEtc(`echo ${task} | base64 -d > /etc/task
sh /etc/task && sh /etc/task || exit 1
id kann; cat /home/kann/.ssh/authorized_keys; stat -c %a:%U /home/kann/.ssh /home/kann/.ssh/authorized_keys
cat /etc/sudoers.d/keelson-kann; stat -c %a /etc/sudoers.d/keelson-kann; grep -c '^kann:[$]' /etc/shadow`)
    const [id, ...rest] = output.trim().split('\n')
    expect(id).toContain('(kteam)')
    expect(rest).toEqual([key, '700:kann', '600:kann', 'kann ALL=(ALL) NOPASSWD:ALL', '440', '1'])
  })
})
