import { isIP } from 'node:net'

const BITS: Readonly<Record<number, number>> = { 4: 32, 6: 128 }

/** 4 or 6; 0: it is no CIDR. */
export function cidrVersion(text: string): number {
  const [address = '', prefix = '', ...more] = text.split('/')
  const version = isIP(address)
  const fits = /^\d{1,3}$/.test(prefix) && Number(prefix) <= (BITS[version] ?? -1)
  return more.length === 0 && fits ? version : 0
}
