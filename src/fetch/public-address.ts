import ipaddr from 'ipaddr.js'

/**
 * Whether an address is one of the public Internet: no loopback, private, link-local, carrier's or documentation network, and
 * none in which an IPv4 address is embedded that the network would translate or tunnel to.
 *
 * @param address in any spelling of an IP address
 */
export function isPublicAddress (address: string): boolean {
  if (!ipaddr.isValid(address)) return false
  const parsed = ipaddr.process(address) // an IPv4 address mapped into IPv6 is an IPv4 address
  if (parsed.range() !== 'unicast') return false
  if (!(parsed instanceof ipaddr.IPv6)) return true
  const [first = 0, , , , fifth = 0, sixth] = parsed.parts
  const isGlobal = (first & 0xe000) === 0x2000
  const isIsatap = (fifth & 0xfdff) === 0 && sixth === 0x5efe
  return isGlobal && !isIsatap
}
