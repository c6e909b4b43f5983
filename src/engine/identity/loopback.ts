/** Whether an address can be believed without being asked by whom: TLS, or this machine itself. */
export function isTrustworthy(address: string | URL): boolean {
  if (!URL.canParse(String(address))) return false
  const { protocol, hostname } = new URL(address)
  if (protocol === 'https:') return true
  return protocol === 'http:' && (hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname))
}
