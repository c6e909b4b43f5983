import { mountRules } from '../mount-rules.js'
import { type RemotePath, remotePathOf, remoteTarget } from '../remote-path.js'
import { flag, oneOf, type SchemeRules, type StorageAddress, wholeNumber } from '../scheme-rules.js'

export const NFS_PORT = 2049

/** `nfs://server[:port]/export`, `nfs://server:export` and `nfs://server:/export`. */
export interface NfsUri extends StorageAddress, RemotePath {
  readonly scheme: 'nfs'
}

const seconds = wholeNumber(0, 86_400)

/** In nfs(5)'s words, but for `version`. */
export const nfs: SchemeRules<NfsUri> = {
  parameters: [],
  options: {
    ...mountRules,
    version: oneOf(['auto', '3', '4', '4.1', '4.2'], 'auto'),
    proto: oneOf(['tcp', 'tcp6', 'rdma', 'rdma6']),
    sec: oneOf(['sys', 'krb5', 'krb5i', 'krb5p']),
    hard: flag,
    timeo: { ...wholeNumber(1, 6000), byDefault: '100' },
    retrans: { ...wholeNumber(0, 100), byDefault: '3' },
    nconnect: wholeNumber(1, 16),
    rsize: wholeNumber(1024, 1_048_576),
    wsize: wholeNumber(1024, 1_048_576),
    nolock: flag,
    noac: flag,
    nocto: flag,
    actimeo: seconds,
    acregmin: seconds,
    acregmax: seconds,
    acdirmin: seconds,
    acdirmax: seconds,
    lookupcache: oneOf(['all', 'none', 'pos', 'positive']),
  },
  credentials: {},
  addressOf: (rest) => {
    const remote = remotePathOf('nfs', rest, NFS_PORT)
    return { scheme: 'nfs', ...remote, target: remoteTarget('nfs', remote) }
  },
}
