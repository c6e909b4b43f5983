import { DEFAULT_PROJECT } from '../../../src/engine/identity/project.entity.js'
import type { Fields } from './body-abuses.js'

const nobody = '00000000-0000-4000-8000-00000000cafe'

/** What bodies of guests, and of what they are made of, should be. */
export const guestBodies: Readonly<Record<string, Fields>> = {
  'images.create': {
    projectId: DEFAULT_PROJECT,
    name: 'never-made',
    description: 'never',
    format: 'qcow2',
    connectionId: 'never',
    files: [],
    commandLine: 'quiet',
    os: 'never',
    defaultUser: 'never',
    hasAgent: true,
    minDiskMiB: 1,
  },
  'volumes.create': {
    projectId: DEFAULT_PROJECT,
    name: 'never-made',
    connectionId: 'never',
    sizeMiB: 1,
    format: 'qcow2',
  },
  'volumes.update': { sizeMiB: 1 },
  'guests.create': {
    projectId: DEFAULT_PROJECT,
    name: 'never-made',
    labels: { app: 'never' },
    imageId: nobody,
    vcpus: 1,
    memoryMiB: 64,
    disks: [],
    nics: [],
    userData: '#cloud-config',
    sshKeys: [],
    prepare: { packages: ['never'] },
    placement: { hostId: nobody },
    bootTimeoutMs: 1_000,
    prepareTimeoutMs: 1_000,
    stopGraceMs: 1_000,
    restartPolicy: 'never',
  },
  'guests.update': { labels: { app: 'never' }, vcpus: 1, memoryMiB: 64, stopGraceMs: 1_000, restartPolicy: 'never' },
  'guests.run': { users: [], packages: ['never'], files: [], commands: [{ argv: ['never'] }], runTimeoutMs: 1_000 },
  'guests.attach': { volumeId: nobody },
  'guestSnapshots.create': { name: 'never', quiesce: true },
}
