import 'reflect-metadata'
import { describeAsRoot } from '../agent/support/root.js'
import { describeDeliveryContract } from './delivery.contract.js'
import { describeStorageManageContract } from './storage-manage.contract.js'
import { describeStorageOwnContract } from './storage-own.contract.js'
import { describeStorageResetContract } from './storage-reset.contract.js'
import { describeStorageUnmanageContract } from './storage-unmanage.contract.js'
import { realSubject } from './support/real-subject.js'
import { simulatedSubject } from './support/simulated-subject.js'
import type { MakeSubject } from './support/subject.js'

const contracts = [
  describeStorageManageContract,
  describeStorageUnmanageContract,
  describeStorageResetContract,
  describeStorageOwnContract,
  describeDeliveryContract,
] as const

function describeAll(name: string, makeSubject: MakeSubject): void {
  for (const describeContract of contracts) describeContract(name, makeSubject)
}

describeAll('simulated local storage', () => simulatedSubject('local'))
describeAll('simulated posix storage', () => simulatedSubject('posix'))
describeAll('real local storage', () => realSubject('local'))
describeAsRoot('mounts of this host', () => describeAll('real posix storage', () => realSubject('posix')))
