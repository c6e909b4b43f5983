import { join } from 'node:path'
import { faultOf } from '../../../src/agent/fault.js'
import type { Means, ProbeLimits, StorageDriver } from '../../../src/agent/storage/driver.js'
import { createIscsiDriver, type IscsiDriverOptions } from '../../../src/agent/storage/drivers/iscsi.js'
import type { StorageOptions } from '../../../src/wire/storage/arguments.js'
import type { IscsiUri } from '../../../src/wire/storage/schemes/iscsi.js'
import { parseStorageUri } from '../../../src/wire/storage/uri.js'
import { FakeInitiator } from './iscsi.js'

export const NAME = 'iqn.2026-01.test.example:disks'
export const at = (portal: string, name = NAME) => parseStorageUri(`iscsi://${portal}/${name}`) as IscsiUri
export const uri = at('10.0.0.5')
export const plain: Means = { options: {}, credentials: {} }
export const limits = (...own: StorageOptions[]): ProbeLimits => ({
  timeoutMs: 1000,
  signal: new AbortController().signal,
  own,
})
export const failure = (work: Promise<unknown>) => work.then(() => null, faultOf)

export const driverOf = (fake: FakeInitiator, more: IscsiDriverOptions = {}): StorageDriver<'iscsi'> =>
  createIscsiDriver({
    run: fake.run,
    sysRoot: fake.kernel.sysRoot,
    databaseRoots: [join(fake.databaseRoot, 'elsewhere'), fake.databaseRoot],
    path: fake.path,
    isRoot: true,
    appearMs: 50,
    ...more,
  })

export async function place() {
  const fake = await FakeInitiator.make()
  const target = fake.target()
  return { fake, target, driver: driverOf(fake) }
}
