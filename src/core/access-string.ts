import { LIMITS } from '../limits.js'

/**
 * Reads an access string (`0:2:1`) into its numbers as libbpf's bpf_core_parse_spec does with sscanf("%d"): blanks before a
 * number, a plus sign and leading zeros pass, and one colon before each number is optional. Returns undefined for what libbpf
 * refuses: an empty string, a leading colon, text that is no number, a negative number, more than 64 numbers.
 *
 * A number past C's int wraps the way glibc's does (a saturated long, of which the low 32 bits count); no compiler emits one.
 */
export function parseAccessString (text: string): number[] | undefined {
  if (text === '' || text.startsWith(':')) return undefined
  const numbers: number[] = []
  const number = /:?[ \t\n\v\f\r]*([+-]?[0-9]+)/y
  while (number.lastIndex < text.length) {
    const digits = number.exec(text)?.[1]
    if (digits === undefined) return undefined
    const value = toInt(digits)
    if (value < 0 || numbers.length === LIMITS.accessSpecLength) return undefined
    numbers.push(value)
  }
  return numbers
}

const LONG_MAX = 0x7fff_ffff_ffff_ffffn
const LONG_MIN = -0x8000_0000_0000_0000n

function toInt (digits: string): number {
  if (digits.length <= 9) return Number.parseInt(digits, 10)
  const exact = digits.startsWith('-') ? -BigInt(digits.slice(1)) : BigInt(digits.startsWith('+') ? digits.slice(1) : digits)
  const long = exact > LONG_MAX ? LONG_MAX : exact < LONG_MIN ? LONG_MIN : exact
  return Number(BigInt.asIntN(32, long))
}
