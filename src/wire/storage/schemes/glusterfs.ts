import { badUri } from '../bad-argument.js'
import { mountRules } from '../mount-rules.js'
import { type RemotePath, remotePathOf, remoteTarget } from '../remote-path.js'
import { oneOf, type SchemeRules, type StorageAddress, text } from '../scheme-rules.js'

export const GLUSTERFS_PORT = 24_007
/** gluster(8): of a volume's name. */
const VOLUME = /^[a-zA-Z0-9][a-zA-Z0-9_-]{0,199}$/
const SERVERS = /^[a-zA-Z0-9][a-zA-Z0-9.-]{0,252}(:[a-zA-Z0-9][a-zA-Z0-9.-]{0,252}){0,7}$/

/** `glusterfs://server[:port]/volume[/directory]`; as `server:volume` too. */
export interface GlusterfsUri extends StorageAddress, RemotePath {
  readonly scheme: 'glusterfs'
}

export const glusterfs: SchemeRules<GlusterfsUri> = {
  parameters: [],
  options: {
    ro: mountRules.ro,
    backupServers: text(SERVERS, 'up to 8 hosts with : between, which are asked for the volume when the first is away'),
    directIo: oneOf(['enable', 'disable']),
    transport: oneOf(['tcp', 'rdma', 'socket']),
  },
  credentials: {},
  addressOf: (rest) => {
    const remote = remotePathOf('glusterfs', rest, GLUSTERFS_PORT)
    const [volume = ''] = remote.path.slice(1).split('/')
    if (!VOLUME.test(volume)) throw badUri('glusterfs: is written glusterfs://server/volume')
    return { scheme: 'glusterfs', ...remote, target: remoteTarget('glusterfs', remote) }
  },
}
