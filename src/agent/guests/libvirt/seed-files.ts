import type { EnsureSeed } from '../../../wire/guests/commands.js'
import type { NicIntent } from '../../../wire/guests/intent.js'

/** What cloud-init's NoCloud reads, by the name of the file. JSON is YAML too. */
export function seedFiles(seed: EnsureSeed): Readonly<Record<string, string>> {
  const { instanceId, hostname, sshKeys, defaultUser, userData, nics } = seed
  const metaData = { 'instance-id': instanceId, 'local-hostname': hostname, 'public-keys': sshKeys }
  return {
    'meta-data': lines(metaData),
    'user-data': userData ?? '#cloud-config\n{}\n',
    // beneath what the user says
    'vendor-data': `#cloud-config\n${lines(defaultUser == null ? {} : { user: defaultUser })}`,
    ...(nics.length === 0 ? {} : { 'network-config': lines({ version: 2, ethernets: ethernets(nics) }) }),
  }
}

const lines = (value: object): string => `${JSON.stringify(value, null, 1)}\n`

/** Netplan's words, each interface found by its hardware address. The first that has a gateway has the default route. */
function ethernets(nics: readonly NicIntent[]): object {
  const first = nics.findIndex(({ network }) => network.gateway != null)
  return Object.fromEntries(
    nics.map(({ mac, address, network }, index) => [
      `nic${index}`,
      {
        match: { macaddress: mac },
        'set-name': `eth${index}`,
        addresses: [`${address}/${network.cidr.split('/')[1]}`],
        ...(index === first
          ? { routes: [{ to: address.includes(':') ? '::/0' : '0.0.0.0/0', via: network.gateway }] }
          : {}),
      },
    ]),
  )
}
