import type { BrokerConfig, BrokerTcp } from '../broker/config.js'
import { formatAddress, parseAddress } from './address.js'
import { stateDirectory } from './directories.js'
import type { Key, Keys } from './key.js'
import { libvirtKeys } from './libvirt-keys.js'
import { loggingKeys } from './logging-keys.js'
import { optionalInteger, text } from './parsers.js'

type Kind<T> = Pick<Key<T>, 'expects' | 'parse' | 'show'>

const mode: Kind<number> = {
  expects: 'permissions in octal digits (0660)',
  parse: (value) => (/^0?[0-7]{3}$/.test(value) ? Number.parseInt(value, 8) : undefined),
  show: (value) => value.toString(8).padStart(4, '0'),
}

const owner: Kind<BrokerConfig['socketOwner']> = {
  expects: 'numbers of a user and a group (36:36)',
  parse: (value) => {
    const [, uid, gid] = /^(\d{1,9}):(\d{1,9})$/.exec(value) ?? []
    return uid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) }
  },
  show: (value) => (value === null ? '(whoever runs the broker)' : `${value.uid}:${value.gid}`),
}

/** Whoever reaches it may do everything: it has no password, as the original has none. */
const loopback: Kind<BrokerTcp | null> = {
  expects: 'host:port of a loopback address',
  parse: (value) => {
    const address = parseAddress(value)
    return address && /^(127(\.\d{1,3}){3}|::1|localhost)$/.test(address.host) ? address : undefined
  },
  show: (value) => (value === null ? '(none)' : formatAddress(value)),
}

export const brokerKeys: Keys<BrokerConfig> = {
  hostId: {
    ...optionalInteger(1, 2000),
    env: 'KEELSON_BROKER_HOST_ID',
    meaning: 'Number of this host among those that share the whiteboard',
    fallback: () => null,
  },
  whiteboard: {
    ...text,
    env: 'KEELSON_BROKER_WHITEBOARD',
    meaning: 'File of the whiteboard, on a storage that all its hosts have mounted',
    expects: 'the path of a file',
  },
  socket: {
    ...text,
    env: 'KEELSON_BROKER_SOCKET',
    meaning: 'Unix socket that HA agents call',
    fallback: ({ uid }) =>
      uid === 0 ? '/run/ovirt-hosted-engine-ha/broker.socket' : `/tmp/keelson-broker-${uid}/broker.socket`,
  },
  socketMode: {
    ...mode,
    env: 'KEELSON_BROKER_SOCKET_MODE',
    meaning: 'Permissions of the socket',
    fallback: () => 0o600,
  },
  socketOwner: {
    ...owner,
    env: 'KEELSON_BROKER_SOCKET_OWNER',
    meaning: 'Whom the socket is given to',
    fallback: () => null,
  },
  tcp: {
    ...loopback,
    env: 'KEELSON_BROKER_TCP',
    meaning: 'Loopback address on which the broker also listens; it asks nobody who they are',
    fallback: () => null,
  },
  stateDir: {
    ...text,
    env: 'KEELSON_STATE_DIR',
    meaning: 'Directory of what must survive a restart: which monitors run',
    fallback: (surroundings) => stateDirectory('keelson-broker', surroundings),
  },
  ...libvirtKeys,
  ...loggingKeys,
}
