/**
 * Random programs in C with assembly inside: registers, stack, calls, loops and map values, and poison behind random
 * conditions. Assembly, because a compiler would decide most of the conditions itself.
 */

export type Cpu = 'v1' | 'v2' | 'v3' | 'v4'

interface Source {
  /** A whole number below n. */
  readonly below: (n: number) => number
  readonly pick: <T> (choices: readonly T[]) => T
  /** True in so many of a hundred cases. */
  readonly chance: (percent: number) => boolean
}

/** The same seed gives the same numbers everywhere. */
function randomSource (seed: number): Source {
  let state = Math.imul(seed, 0x9e3779b1) >>> 0 || 1
  const below = (n: number): number => {
    state = (state ^ state << 13) >>> 0
    state ^= state >>> 17
    state = (state ^ state << 5) >>> 0
    return state % n
  }
  return {
    below,
    pick: choices => {
      const choice = choices[below(choices.length)]
      if (choice === undefined) throw new Error('nothing to choose from')
      return choice
    },
    chance: percent => below(100) < percent
  }
}

const POISON = 'call 195896080'
const NUMBERS = [
  0, 0, 1, 1, 2, 3, 4, 5, 7, 8, 10, 16, 31, 32, 63, 100, 255, 256, 4096, 65535, 2147483647, -1, -1, -2, -5, -100, -2147483648
]
const COMPARISONS = ['==', '!=', '==', '!=', '>', '>=', '<', '<=', 's>', 's>=', 's<', 's<=', '&']
const ORDERS = ['>', '>=', '<', '<=', 's>', 's>=', 's<', 's<=']
const OPERATIONS = ['+', '-', '*', '&', '|', '^', '<<', '>>', 's>>', '+', '&', '/', '%%']
const REGISTERS = ['6', '7', '8', '9', '0']
const SAVED = ['6', '7', '8', '9']

/** A C file with `count` programs. */
export function randomPrograms (seed: number, count: number, cpu: Cpu): string {
  const source = randomSource(seed)
  const functions = Array.from({ length: count }, (_, i) => {
    const subprograms = [0, 1].filter(() => source.chance(30)).map(j => subprogram(source, `sub${i}_${j}`))
    const body = program(source, cpu, subprograms.map(({ name }) => name))
    const section = source.pick(['kprobe/x', 'raw_tp/x', 'tracepoint/x/y'])
    return `${subprograms.map(({ text }) => text).join('')}SEC("${section}") __attribute__((naked)) int p${i}(void) { asm volatile(\n` +
      `${assembly(body)}\n:: [map]"i"(&map), [ro]"i"(ro), [bss]"i"(bss)); }\n`
  })
  return `#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, int); __type(value, long); } map SEC(".maps");
const volatile unsigned long long ro[8] = {0, 1, 5, 255, 0x100000000ull, ${source.below(100)}, ~0ull, 7};
unsigned long long bss[4];
${functions.join('')}`
}

const assembly = (lines: readonly string[]): string => lines.map(line => `\t"${line}${line.endsWith(':') ? '' : ';'}"`).join('\n')

/** Static ones are entered with what the caller knows; global ones are verified by themselves. */
function subprogram ({ pick, chance, below }: Source, name: string): { name: string, text: string } {
  const isGlobal = chance(40)
  const lines = ['r0 = r1', 'r3 = r2']
  const open: string[] = []
  let labels = 0
  const newLabel = (): string => `S${labels++}_%=`
  for (let i = 0, length = 3 + below(6); i < length; i++) {
    const [a, b] = [pick(['0', '1', '2', '3']), pick(['0', '1', '2', '3'])]
    const kind = below(10)
    if (kind < 4) {
      const label = newLabel()
      lines.push(`if r${a} ${pick(COMPARISONS)} ${pick(NUMBERS)} goto ${label}`)
      open.push(label)
    } else if (kind < 6) lines.push(`r${a} = ${pick(NUMBERS)}`)
    else if (kind < 8) lines.push(`r${a} ${pick(['+', '&', '|', '-'])}= ${chance(50) ? pick(NUMBERS) : `r${b}`}`)
    else if (kind < 9 && chance(40)) {
      const label = newLabel()
      lines.push(
        `if r${a} ${pick(COMPARISONS)} ${pick(NUMBERS)} goto ${label}`, POISON, 'r0 = 0', 'r1 = 0', 'r2 = 0', 'r3 = 0', `${label}:`
      )
    } else lines.push(`r${a} = r${b}`)
    if (open.length > 0 && chance(40)) lines.push(`${open.pop()}:`)
  }
  lines.push(...open.map(label => `${label}:`))
  const text = isGlobal
    ? `__attribute__((noinline, used)) unsigned long long ${name}(unsigned long long a, unsigned long long b) { unsigned long long ` +
      'out; asm volatile(\n' +
      `${assembly(['r0 = %[a]', 'r2 = %[b]', 'r1 = r0', ...lines, '%[out] = r0'])}\n` +
      ': [out]"=r"(out) : [a]"r"(a), [b]"r"(b) : "r0", "r1", "r2", "r3", "memory"); return out; }\n'
    : `static __attribute__((naked, noinline, used)) unsigned long long ${name}(void) { asm volatile(\n` +
      `${assembly([...lines, 'exit'])}\n:::); }\n`
  return { name, text }
}

function program (source: Source, cpu: Cpu, subprograms: readonly string[]): string[] {
  const { below, pick, chance } = source
  const lines: string[] = []
  const open: string[] = []
  let labels = 0
  let poisons = 0
  const newLabel = (): string => `L${labels++}_%=`
  const hasWords = cpu === 'v3' || cpu === 'v4'
  const word = (percent: number): string => hasWords && chance(percent) ? 'w' : 'r'

  const set = (register: string): void => {
    const kind = below(10)
    if (kind < 4) lines.push(`r${register} = ${pick(NUMBERS)}`)
    else if (kind < 5) lines.push(`r${register} = ${pick(NUMBERS)} ll`)
    else if (kind < 8) lines.push(`call ${pick([7, 5, 14])}`, `r${register} = r0`)
    else {
      lines.push(
      `r1 = %[${kind === 8 ? 'ro' : 'bss'}] ll`, `r${register} = *(${pick(['u8', 'u16', 'u32', 'u64'])} *)(r1 + ${8 * below(4)})`
      )
    }
  }
  const slot = (size: number): number => {
    const offset = 8 * (1 + below(4)) - (chance(80) ? 0 : size * below(8 / size))
    return offset % size === 0 ? offset : 8
  }
  const poison = (register: string): void => {
    const label = newLabel()
    lines.push(`if r${register} ${pick(COMPARISONS)} ${pick(NUMBERS)} goto ${label}`, POISON, 'r0 = 0', `${label}:`)
  }
  const compute = (a: string, b: string): void => {
    const w = word(40)
    const operation = pick(OPERATIONS)
    const isShift = operation.includes('<<') || operation.includes('>>')
    const isDivision = operation === '/' || operation === '%%'
    if (chance(
      70
    )) lines.push(`${w}${a} ${operation}= ${isShift ? below(w === 'w' ? 32 : 64) : isDivision ? 1 + below(100) : pick(NUMBERS)}`)
    else lines.push(`${w}${a} ${operation}= ${w}${b}`)
  }
  const move = (a: string, b: string): void => {
    const w = word(40)
    if (cpu === 'v4' && chance(25)) lines.push(w === 'w' ? `w${a} = (s${pick([8, 16])})w${b}` : `r${a} = (s${pick([8, 16, 32])})r${b}`)
    else lines.push(`${w}${a} = ${chance(50) ? `${w}${b}` : pick(NUMBERS)}`)
  }
  const swap = (a: string): void => {
    if (chance(30)) lines.push(`r${a} = ${pick(['be', 'le'])}${pick([16, 32, 64])} r${a}`)
    else if (cpu === 'v4' && chance(40)) lines.push(`r${a} = bswap${pick([16, 32, 64])} r${a}`)
    else {
      const w = word(50)
      lines.push(`${w}${a} = -${w}${a}`)
    }
  }
  const store = (a: string): void => {
    const size = pick([1, 2, 4, 8, 8, 8])
    lines.push(`*(u${size * 8} *)(r10 - ${slot(size)}) = ${cpu === 'v4' && chance(30) ? pick(NUMBERS) : `r${a}`}`)
  }
  const load = (a: string): void => {
    const size = pick([1, 2, 4, 8, 8, 8])
    lines.push(`r${a} = *(${cpu === 'v4' && size < 8 && chance(20) ? 's' : 'u'}${size * 8} *)(r10 - ${slot(size)})`)
  }
  const lookUp = (): void => {
    const label = newLabel()
    lines.push('r1 = 0', '*(u32 *)(r10 - 64) = r1', 'r2 = r10', 'r2 += -64', 'r1 = %[map] ll', 'call 1')
    if (chance(80)) lines.push(`if r0 == 0 goto ${label}`, 'r0 = *(u64 *)(r0 + 0)', `${label}:`)
    else lines.push(`if r0 != 0 goto ${label}`, `${label}:`, 'r0 = 1')
  }
  /** A number of a helper or a map, made smaller or not, and checked against limits as an index or a length is. */
  const bound = (a: string, b: string): void => {
    const label = newLabel()
    if (chance(60)) lines.push(`call ${pick([7, 5, 14])}`, `r${a} = r0`)
    else lines.push('r1 = %[bss] ll', `r${a} = *(${pick(['u8', 'u16', 'u32', 'u64'])} *)(r1 + ${8 * below(4)})`)
    for (let i = below(3); i > 0; i--) {
      const w = word(40)
      lines.push(pick([
        `${w}${a} &= ${pick([1, 3, 7, 12, 15, 63, 255, 65535, -8, 2147483647])}`,
        `${w}${a} += ${pick(NUMBERS)}`, `${w}${a} -= ${pick(NUMBERS)}`,
        `${w}${a} >>= ${below(32)}`, `${w}${a} s>>= ${below(32)}`, `${w}${a} <<= ${below(32)}`, `${w}${a} = ${w}${a}`,
        `${w}${a} *= ${1 + below(9)}`, `${w}${a} ^= ${pick(NUMBERS)}`
      ]))
    }
    for (let i = 1 + below(3); i > 0; i--) {
      const w = word(40)
      lines.push(`if ${w}${a} ${pick(ORDERS)} ${chance(75) ? pick(NUMBERS) : `${w}${b}`} goto ${label}`)
    }
    if (chance(40)) lines.push(`r${b} = r${a}`, `${word(40)}${b} ${pick(['+', '&', '-'])}= ${pick(NUMBERS)}`)
    if (poisons < 2 && chance(50)) {
      poisons++
      if (chance(50)) poison(a)
      else lines.push(POISON, 'r0 = 0')
    }
    if (chance(50)) lines.push(`${label}:`)
    else open.push(label)
  }
  /** A loop over as many as a checked number says, and never many: older verifiers do not compare two that are not known. */
  const count = (a: string): void => {
    const [label, end] = [newLabel(), newLabel()]
    const limit = pick(SAVED.filter(register => register !== a))
    const w = word(30)
    lines.push('call 7', `r${limit} = r0`)
    lines.push(chance(50) ? `r${limit} &= ${pick([1, 3, 7])}` : `if r${limit} ${pick(['>', '>='])} ${1 + below(6)} goto ${end}`)
    lines.push(`r${a} = 0`, `${label}:`, `r${a} += 1`)
    if (chance(30)) poison(a)
    const last = chance(60) ? `${w}${limit}` : 1 + below(6)
    lines.push(`if r${a} > 6 goto ${end}`, `if ${w}${a} ${pick(['<', '<=', 's<'])} ${last} goto ${label}`, `${end}:`, 'r0 = 0')
  }
  const loop = (): void => {
    const label = newLabel()
    const register = pick(SAVED)
    lines.push(
      `r${register} = 0`, `${label}:`, `r${register} += 1`,
      `if r${register} ${pick(['<', '!=', 's<'])} ${1 + below(chance(80) ? 6 : 60)} goto ${label}`
    )
  }

  lines.push('r6 = 0', 'r7 = 0', 'r8 = 0', 'r9 = 0')
  for (const register of SAVED) if (chance(75)) set(register)
  lines.push(`r0 = ${pick(NUMBERS)}`)
  for (let i = 1; i <= 4; i++) {
    const register = chance(50) ? pick(REGISTERS) : '0'
    if (register === '0') lines.push(`r0 = ${pick(NUMBERS)}`)
    lines.push(`*(u64 *)(r10 - ${8 * i}) = r${register}`)
  }
  for (let i = 0, length = 6 + below(30); i < length; i++) {
    while (open.length > 0 && chance(30)) lines.push(`${open.splice(below(open.length), 1)[0]}:`)
    const [a, b] = [pick(REGISTERS), pick(REGISTERS)]
    const kind = below(100)
    if (kind < 30) {
      const label = newLabel()
      const w = word(35)
      lines.push(`if ${w}${a} ${pick(COMPARISONS)} ${chance(75) ? pick(NUMBERS) : `${w}${b}`} goto ${label}`)
      open.push(label)
    } else if (kind < 42) compute(a, b)
    else if (kind < 50) move(a, b)
    else if (kind < 54) swap(a)
    else if (kind < 66) store(a)
    else if (kind < 78) load(a)
    else if (kind < 84) set(a)
    else if (kind < 88 &&
      subprograms.length > 0) lines.push(`r1 = r${a === '0' ? '6' : a}`, `r2 = r${b === '0' ? '7' : b}`, `call ${pick(subprograms)}`)
    else if (kind < 90) lookUp()
    else if (kind < 91) loop()
    else if (kind < 92) count(pick(SAVED))
    else if (kind < 94) bound(pick(SAVED), b === '0' ? '6' : b)
    else if (kind < 97 && poisons < 2) {
      poisons++
      if (chance(85)) poison(a)
      else lines.push(POISON, 'r0 = 0')
    } else lines.push(`r0 = ${pick(NUMBERS)}`)
  }
  if (poisons === 0) poison(pick(REGISTERS))
  lines.push(...open.map(label => `${label}:`), 'r0 = 0', 'exit')
  return lines
}
