const DIRECTORY = 0o040755
const FILE = 0o100755
const LINK = 0o120777
const DEVICE = 0o020600

export const directoryEntry = (name) => entry(name, DIRECTORY)
export const fileEntry = (name, content) => entry(name, FILE, Buffer.from(content))
export const linkEntry = (name, target) => entry(name, LINK, Buffer.from(target))
/** Of a character device. @param numbers major and minor */
export const deviceEntry = (name, numbers) => entry(name, DEVICE, Buffer.alloc(0), numbers)

/** What the kernel unpacks before its first process. A directory comes before what is in it. */
export const archive = (entries) => Buffer.concat([...entries, entry('TRAILER!!!', 0)])

let inode = 0

/** One file in the "newc" format of cpio (the kernel's buffer-format.rst): a header in hex, the name, the content. */
function entry(name, mode, content = Buffer.alloc(0), [major, minor] = [0, 0]) {
  inode += 1
  const fields = [inode, mode, 0, 0, 1, 0, content.length, 0, 0, major, minor, name.length + 1, 0]
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}${name}\0`
  return Buffer.concat([padded(Buffer.from(header)), padded(content)])
}

const padded = (bytes) => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)])
