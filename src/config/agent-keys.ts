import type { AgentConfig } from '../agent/config.js'
import { stateDirectory } from './directories.js'
import { joinTokenKeys } from './join-token-keys.js'
import type { Keys } from './key.js'
import { libvirtKeys } from './libvirt-keys.js'
import { loggingKeys } from './logging-keys.js'
import { addresses, matching, text } from './parsers.js'

/** As `HOST_NAME` of the wire, which is not imported here: it brings the validator with it, and `--help` would wait. */
export const hostName = /^[a-zA-Z0-9]([a-zA-Z0-9._-]{0,126}[a-zA-Z0-9])?$/

export const agentKeys: Keys<AgentConfig> = {
  name: {
    ...matching(hostName, 'a host name: letters, digits, dots, dashes and underscores'),
    env: 'KEELSON_AGENT_NAME',
    meaning: 'What the host is to be called in the plane, when it joins',
    fallback: ({ hostname }) => hostname,
  },
  engines: {
    ...addresses,
    env: 'KEELSON_ENGINES',
    meaning: 'Engines to dial first; more are learned from the first that answers',
    fallback: () => [],
    fallbackText: 'those that the plane told when the host joined',
  },
  ...joinTokenKeys('Join token, for a host that has no certificate yet; joinTokenFile is the better place'),
  stateDir: {
    ...text,
    env: 'KEELSON_STATE_DIR',
    meaning: 'Directory of the certificate and its key, of the journal, of what the host holds, and of mount points',
    fallback: (surroundings) => stateDirectory('keelson-agent', surroundings),
  },
  ...libvirtKeys,
  ...loggingKeys,
}
