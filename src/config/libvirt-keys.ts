import type { Keys } from './key.js'
import { text } from './parsers.js'

export const libvirtKeys: Keys<{ readonly libvirtUri: string }> = {
  libvirtUri: {
    ...text,
    env: 'KEELSON_LIBVIRT_URI',
    meaning: 'Which libvirt runs guests, as virsh(1) takes it',
    fallback: () => 'qemu:///system',
  },
}
