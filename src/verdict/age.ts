/** Whether the verifier of a kernel has an ability: `maybe` where its distribution may have brought it to an older release. */
export type Ability = 'yes' | 'no' | 'maybe'

const commit = (hash: string): string => `https://github.com/torvalds/linux/commit/${hash}`

type Version = readonly [number, number]
type Update = readonly [...Version, patch: number]

interface Row {
  readonly since: Version
  readonly commit?: string
  /** First release whose stable updates may have brought it. */
  readonly alsoFrom?: Version
  /**
   * Updates of older releases that have it, and with them all later ones of that release: seen by the verdict's comparison with those
   * kernels.
   */
  readonly updates?: readonly Update[]
}

/** The kernels that the comparison boots, which settle what their releases' updates brought. */
const OF_5_10: Update = [5, 10, 262]
const OF_6_1: Update = [6, 1, 192]
const OF_6_12: Update = [6, 12, 117]
const OF_6_18: Update = [6, 18, 44]

/**
 * What verifiers learned that changes which instructions they reach: the first release with it, and the commit where it is one.
 * Each row has the commit, or a program in test/differential/verdict/ages.bpf.c on which the kernels of the comparison disagree.
 */
export const ABILITIES = {
  /** A comparison with a constant decides a branch both ways; before, only `==` that holds and `!=` that does not. */
  decidesBranches: { since: [4, 20], commit: commit('4f7b3e82589e'), alsoFrom: [4, 19] },
  /** BPF_JSET decides, too. */
  decidesBitTests: { since: [5, 0], commit: commit('960ea056561a'), alsoFrom: [4, 19] },
  /** Ranges decide as exactly as they do today: two registers, both edges of an inequality, 64 bits and 32 from each other. */
  comparesRanges: { since: [6, 8], commit: commit('5f99f312bd3b'), alsoFrom: [6, 2] },
  /** `==` is decided by bits that differ, where ranges do not tell. */
  comparesBits: { since: [6, 19], alsoFrom: [6, 2], updates: [OF_6_12, OF_6_18] },
  /** A signed range that crosses zero learns from an unsigned one that does not reach one of its sides. */
  crossesSigns: { since: [6, 17], commit: commit('00bf8d0c6c9b'), alsoFrom: [6, 8], updates: [OF_6_12] },
  /** A sum whose range wraps around at both ends keeps it. */
  keepsWrapped: { since: [6, 17], commit: commit('7a998a731627'), alsoFrom: [6, 13] },
  /** A range that wraps around is one range, whatever its sign. */
  keepsArcs: { since: [7, 2], commit: commit('bbc631085503') },
  /** A product's signed range is that of its four corners. */
  multipliesSigned: { since: [6, 14], commit: commit('9aa0ebde0014'), alsoFrom: [6, 13] },
  /** Partial products are added known parts first. */
  sumsProducts: { since: [5, 14], commit: commit('05924717ac70') },
  /** The bits of a product are joined partial product by partial product. */
  joinsProducts: { since: [6, 18], commit: commit('1df7dad4d5c4'), alsoFrom: [6, 13] },
  /** `&` and `|` of a number that is 0 or -1 are followed for each. */
  forksSigns: { since: [7, 0], commit: commit('bffacdb80b93'), alsoFrom: [6, 2], updates: [OF_6_12, OF_6_18] },
  /** Ranges are followed as by Linux 5.10, the oldest of the comparison; before, some are. */
  followsRanges: { since: [5, 10], commit: commit('b02709587ea3'), alsoFrom: [0, 0] },
  /** The bits of the lower half are learned from ranges of both widths, one after the other. */
  learnsBitsTwice: { since: [6, 4], commit: commit('7be14c1c9030'), alsoFrom: [5, 11], updates: [OF_6_1] },
  /** A copy of a number is narrowed with it. */
  linksCopies: { since: [5, 10], commit: commit('75748837b7e5') },
  /** So is a copy of its lower half, where the upper is zero. */
  linksHalves: { since: [6, 4], commit: commit('3be49f79555e'), alsoFrom: [6, 2] },
  /** So is a number that differs by a constant. */
  linksSums: { since: [6, 11], commit: commit('98d7ca374ba4'), alsoFrom: [6, 2] },
  /** A number that was spilled to the stack is narrowed with its register. */
  linksSpills: { since: [6, 9], commit: commit('8ecfc371d829'), alsoFrom: [6, 2] },
  /** A constant of 8 bytes survives on the stack. */
  spillsConstants: { since: [5, 3], commit: commit('b5dc0163d8fd') },
  /** A range of 8 bytes does. */
  spillsRanges: { since: [5, 10], commit: commit('5689d49b71ad') },
  /** Numbers of 4, 2 and 1 bytes do, where they start a slot of 8. */
  spillsNarrow: { since: [5, 16], commit: commit('354e8f1970f8'), alsoFrom: [5, 10], updates: [OF_5_10] },
  /** A part of a spilled number can be read back. */
  fillsNarrow: { since: [6, 9], commit: commit('c1e6148cb4f8'), alsoFrom: [6, 2] },
  /** A constant that BPF_ST wrote survives on the stack. */
  spillsImmediates: { since: [6, 3], commit: commit('ecdf985d7615'), alsoFrom: [5, 10], updates: [OF_5_10, OF_6_1] },
  /** A zero is spilled like another number, and zeroes survive that a number is spilled to another part of their slot. */
  spillsZeroes: { since: [6, 8], commit: commit('18a433b62061'), alsoFrom: [6, 2] },
  /** What a frozen read-only map holds is known. */
  readsFrozenMaps: { since: [5, 5], commit: commit('a23740ec43ba') },
  foldsXor: { since: [5, 10], commit: commit('2921c90d4718') },
  foldsNegation: { since: [6, 17], commit: commit('aced132599b3'), alsoFrom: [6, 13] },
  foldsByteSwap: { since: [7, 0], commit: commit('9d2119984224'), alsoFrom: [6, 13], updates: [OF_6_18] },
  foldsDivision: { since: [7, 0], commit: commit('44fdd581d273') },
  /** Nothing is known of the upper half of a 32-bit result that is not worked out; before, that it is zero. */
  forgetsUpperHalf: { since: [6, 11], commit: commit('0922c78f592c'), alsoFrom: [6, 2] },
  /** A product and other results are worked out where the second number is not known. */
  computesUnknowns: { since: [6, 11], commit: commit('0922c78f592c'), alsoFrom: [6, 2] },
  /** A comparison with 0 of a pointer to a map's value or a socket that is not null decides. */
  decidesPointers: { since: [5, 8], commit: commit('cac616db39c2') },
  /** So does one of other memory, and of a map. */
  decidesMaps: { since: [6, 17], commit: commit('5534e58f2e9b'), alsoFrom: [6, 2], updates: [OF_6_12] },
  /** An element of an array whose index is known and within it is not null. */
  knowsElements: { since: [6, 14], commit: commit('d2102f2f5d75'), alsoFrom: [6, 13] },
  /** The number of the processor has a range, which the machine decides: on one with one processor, it is 0. */
  boundsProcessors: { since: [6, 6], commit: commit('f42bcd168d03'), alsoFrom: [6, 2] },
  /** Global subprograms are verified by themselves, with unknown arguments. */
  verifiesGlobals: { since: [5, 6], commit: commit('51c39bb1d5d1') },
  /** Only those that are called where the verifier gets to. */
  verifiesGlobalsLazily: { since: [6, 8], commit: commit('2afae08c9dcb'), alsoFrom: [6, 2] },
  /** A callback is verified for any number of calls; before, for one. */
  repeatsCallbacks: { since: [6, 7], commit: commit('ab5cfac139ab'), alsoFrom: [5, 17], updates: [OF_6_1] },
  /** The number of calls that bpf_loop is told bounds those that are verified. */
  countsCallbacks: { since: [6, 7], commit: commit('bb124da69c47'), alsoFrom: [6, 2] },
  /** A tail call in a subprogram is followed to the caller, too, with any result. */
  returnsFromTailCalls: { since: [6, 19], commit: commit('e3245f899043'), alsoFrom: [6, 13], updates: [[6, 18, 2]] }
} as const satisfies Record<string, Row>

export type AbilityName = keyof typeof ABILITIES

const isAbilityName = (name: string): name is AbilityName => name in ABILITIES
const NAMES = Object.keys(ABILITIES).filter(isAbilityName)

/** What is answered for each row. The copy has properties that V8 finds by place, those that names were put into are looked up by hash. */
function mapRows<Answer> (answer: (row: Row) => Answer): Record<AbilityName, Answer> {
  const answers: Partial<Record<AbilityName, Answer>> = {}
  for (const name of NAMES) answers[name] = answer(ABILITIES[name])
  const isWhole = (some: typeof answers): some is Record<AbilityName, Answer> => NAMES.every(name => name in some)
  if (!isWhole(answers)) throw new Error('each row was answered')
  return { ...answers }
}

/** A verifier's abilities, none in doubt. */
export type Rules = Readonly<Record<AbilityName, boolean>>

/** The abilities of one kernel's verifier. */
export interface Age extends Readonly<Record<AbilityName, Ability>> {
  /** With those that it certainly has. */
  readonly sure: Rules
  /** With those that it may have, too; `sure` itself where none is in doubt. */
  readonly perhaps: Rules
}

/**
 * Releases of distributions that bring new parts of the verifier to old kernels: RHEL and its family, SUSE, openEuler, Anolis, Kylin,
 * BC-Linux, Oracle's UEK.
 */
const BACKPORTING = /\.el\d|\.fc\d|\.oe\d|\.an\d|\.al\d|\.ky\d|\.bclinux|\.uel|el\d+uek|-default$|^3\.10\.0-|\.tl\d|\.oc\d|\.ocs/

/** Major and minor number of a release, such as 6.1; undefined where it does not start with two numbers. */
export function parseRelease (release: string): Version | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})(?!\d)/.exec(release)
  return match === null ? undefined : [Number(match[1]), Number(match[2])]
}

/** A version as KERNEL_VERSION() packs it. Above 255, the kernel takes the last number for 255. */
export function packVersion (major: number, minor: number, patch: number): bigint {
  return BigInt(major * 65536 + minor * 256 + Math.min(patch, 255))
}

function isAtLeast (version: Version, since: Version): boolean {
  return version[0] > since[0] || (version[0] === since[0] && version[1] >= since[1])
}

/** Debian's numbers of kernels whose releases have a 0 where their update would be, and the update of each. */
const DEBIAN: readonly (readonly [...Version, number: number, patch: number])[] = [[5, 10, 46, 262], [6, 1, 57, 192]]

/** The number of the stable update, or one that it is not below; undefined where the release does not tell. */
function updateOf (release: string, [major, minor]: Version): number | undefined {
  const patch = /^\d{1,3}\.\d{1,3}\.([1-9]\d{0,3})(?!\d)/.exec(release)?.[1]
  if (patch !== undefined) return Number(patch)
  const number = /^\d+\.\d+\.0-(\d{1,3})(?:-cloud|-rt)?-(?:amd64|arm64)$/.exec(release)?.[1]
  if (number === undefined) return undefined
  return DEBIAN.find(known => known[0] === major && known[1] === minor && Number(number) >= known[2])?.[3]
}

/** Releases whose ages are kept, so that what was worked out for one serves the next object as well. */
const MAX_KNOWN = 4096
const known = new Map<string | undefined, Age>()
/** By the facts of a release: thousands of releases have some dozens. */
const byFacts = new Map<string, Age>()
/** By abilities: releases of one age share it. */
const ages = new Map<string, Age>()

/** What the verifier of a kernel can do, by `uname -r`; the newest one's abilities where the release is not known. */
export function ageOf (release: string | undefined): Age {
  return known.get(release) ?? kept(known, release, ageBy(release === undefined ? undefined : factsOf(release)))
}

function ageBy (facts: ReleaseFacts | undefined): Age {
  const text = facts === undefined ? '' : `${facts.version?.join()} ${facts.update} ${facts.isBackporting}`
  const age = byFacts.get(text)
  if (age !== undefined) return age
  const made = makeAge(facts)
  const key = NAMES.map(name => made[name]).join(' ')
  return kept(byFacts, text, ages.get(key) ?? kept(ages, key, made))
}

function kept<Key> (map: Map<Key, Age>, key: Key, age: Age): Age {
  if (map.size >= MAX_KNOWN) map.clear()
  map.set(key, age)
  return age
}

/** All that an age takes from a release. */
interface ReleaseFacts {
  readonly version: Version | undefined
  readonly update: number | undefined
  readonly isBackporting: boolean
}

function factsOf (release: string): ReleaseFacts {
  const version = parseRelease(release)
  return { version, update: version === undefined ? undefined : updateOf(release, version), isBackporting: BACKPORTING.test(release) }
}

/** Rows that are not about what is known of numbers. */
const OF_OTHERS: readonly AbilityName[] = [
  'decidesPointers', 'decidesMaps', 'knowsElements', 'boundsProcessors', 'verifiesGlobals', 'verifiesGlobalsLazily', 'repeatsCallbacks',
  'countsCallbacks', 'returnsFromTailCalls'
]

const ofExecutions = new WeakMap<Age, Age>()

/** For what happens to numbers when the kernel runs a program that a verifier of the age looks at: as if it knew all of them. */
export function ageOfExecution (age: Age): Age {
  let made = ofExecutions.get(age)
  if (made === undefined) {
    const all = mapRows(() => true)
    made = { ...mapRows<Ability>(() => 'yes'), sure: all, perhaps: all }
    for (const name of OF_OTHERS) made = { ...made, [name]: age[name] }
    ofExecutions.set(age, made)
  }
  return made
}

/** @param facts undefined: the release is not known */
function makeAge (facts: ReleaseFacts | undefined): Age {
  const answer = ({ since, alsoFrom, updates }: Row): Ability => {
    if (facts === undefined) return 'yes'
    const { version, update, isBackporting } = facts
    if (version === undefined) return 'maybe'
    if (isAtLeast(version, since)) return 'yes'
    const known = updates?.find(([major, minor]) => major === version[0] && minor === version[1])
    if (known !== undefined && update !== undefined && update >= known[2]) return 'yes'
    return isBackporting || (alsoFrom !== undefined && isAtLeast(version, alsoFrom)) ? 'maybe' : 'no'
  }
  const abilities = mapRows(answer)
  const sure = mapRows(row => answer(row) === 'yes')
  const perhaps = mapRows(row => answer(row) !== 'no')
  const isCertain = NAMES.every(name => sure[name] === perhaps[name])
  return { ...abilities, sure, perhaps: isCertain ? sure : perhaps }
}
