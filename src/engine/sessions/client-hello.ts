/** RFC 8446, 4.2: the offer of a session to be resumed. */
const PRE_SHARED_KEY = 41
const RECORD_HEADER = 5
const MESSAGE_HEADER = 4
const VERSION_AND_RANDOM = 34

/**
 * Whether a ClientHello (RFC 8446, 4.1.2) offers to resume a session. Whether the offer is good is TLS's to find out.
 * @param bytes from the record's header on; what is cut off or makes no sense offers nothing
 */
export function offersToResume(bytes: Buffer): boolean {
  let at = RECORD_HEADER + MESSAGE_HEADER + VERSION_AND_RANDOM
  // session id, cipher suites, compression methods: each behind its length
  for (const lengthBytes of [1, 2, 1]) {
    if (at + lengthBytes > bytes.length) return false
    at += lengthBytes + bytes.readUIntBE(at, lengthBytes)
  }
  at += 2
  while (at + 4 <= bytes.length) {
    if (bytes.readUInt16BE(at) === PRE_SHARED_KEY) return true
    at += 4 + bytes.readUInt16BE(at + 2)
  }
  return false
}
