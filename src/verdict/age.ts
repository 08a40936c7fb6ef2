/** Whether the verifier of a kernel has an ability: `maybe` where its distribution may have brought it to an older release. */
export type Ability = 'yes' | 'no' | 'maybe'

const commit = (hash: string): string => `https://git.kernel.org/torvalds/c/${hash}`

type Version = readonly [number, number]

interface Row {
  readonly since: Version
  readonly commit?: string
  /** First release whose stable updates may have brought it. */
  readonly alsoFrom?: Version
  /** An update of an older release that has it, and with it all later ones: seen by the verdict's comparison with that kernel. */
  readonly update?: readonly [...Version, patch: number]
}

/**
 * What verifiers learned that changes which instructions they reach: the first release with it, and the commit where it is one.
 */
const ABILITIES = {
  /** A comparison with a constant decides a branch both ways; before, only `==` that holds and `!=` that does not. */
  decidesBranches: { since: [4, 20], commit: commit('4f7b3e82589e'), alsoFrom: [4, 19] },
  /** BPF_JSET decides, too. */
  decidesBitTests: { since: [5, 0], alsoFrom: [4, 19] },
  /** Ranges decide as exactly as they do today: two registers, both edges of an inequality, 64 bits and 32 from each other. */
  comparesRanges: { since: [6, 8], commit: commit('5f99f312bd3b') },
  /** Ranges of 32 bits beside those of 64. */
  knowsSubregisters: { since: [5, 7], commit: commit('3f50f132d840') },
  /** A copy of a number is narrowed with it. */
  linksCopies: { since: [5, 10], commit: commit('75748837b7e5') },
  /** A number that was spilled to the stack is narrowed with its register. */
  linksSpills: { since: [6, 9], commit: commit('8ecfc371d829') },
  /** A constant of 8 bytes survives on the stack. */
  spillsConstants: { since: [5, 3], commit: commit('b5dc0163d8fd') },
  /** A range of 8 bytes does. */
  spillsRanges: { since: [5, 10], commit: commit('5689d49b71ad') },
  /** Numbers of 4, 2 and 1 bytes do, where they start a slot of 8. */
  spillsNarrow: { since: [5, 16], commit: commit('354e8f1970f8') },
  /** A part of a spilled number can be read back. */
  fillsNarrow: { since: [6, 9], commit: commit('c1e6148cb4f8') },
  /** A constant that BPF_ST wrote survives on the stack. */
  spillsImmediates: { since: [6, 3], commit: commit('ecdf985d7615'), alsoFrom: [6, 1] },
  /** Zeroes survive a write to another part of their slot. */
  keepsZeroes: { since: [6, 8], commit: commit('eaf18febd6eb'), alsoFrom: [6, 6] },
  /** What a frozen read-only map holds is known. */
  readsFrozenMaps: { since: [5, 5], commit: commit('a23740ec43ba') },
  foldsXor: { since: [5, 10], commit: commit('2921c90d4718') },
  foldsNegation: { since: [6, 17], commit: commit('aced132599b3'), alsoFrom: [6, 12] },
  foldsByteSwap: { since: [7, 0], commit: commit('9d2119984224'), alsoFrom: [5, 10], update: [6, 18, 44] },
  foldsDivision: { since: [7, 0], commit: commit('44fdd581d273') },
  /** A 32-bit result that is not worked out is unknown in all 64 bits; before, in the lower 32. */
  forgetsUpperHalf: { since: [6, 11], commit: commit('0922c78f592c') },
  /** A product is worked out where the second factor is not known. */
  multipliesUnknowns: { since: [6, 11], commit: commit('0922c78f592c') },
  /** A comparison of a pointer that is not null with 0 decides. */
  decidesPointers: { since: [5, 8], commit: commit('cac616db39c2') },
  /** An element of an array whose index is known and within it is not null. */
  knowsElements: { since: [6, 14], commit: commit('d2102f2f5d75') },
  /** Global subprograms are verified by themselves, with unknown arguments. */
  verifiesGlobals: { since: [5, 6], commit: commit('51c39bb1d5d1') },
  /** Only those that are called where the verifier gets to. */
  verifiesGlobalsLazily: { since: [6, 8], commit: commit('2afae08c9dcb') },
  /** A callback is verified for any number of calls; before, for one. */
  repeatsCallbacks: { since: [6, 7], commit: commit('ab5cfac139ab'), alsoFrom: [6, 6] }
} as const satisfies Record<string, Row>

export type AbilityName = keyof typeof ABILITIES

/** The abilities of one kernel's verifier. */
export type Age = Readonly<Record<AbilityName, Ability>>

/** Releases of distributions that bring new parts of the verifier to old kernels: RHEL and its family, SUSE, openEuler, Anolis, Kylin, BC-Linux, Oracle's UEK. */
const BACKPORTING = /\.el\d|\.fc\d|\.oe\d|\.an\d|\.al\d|\.ky\d|\.bclinux|\.uel|el\d+uek|-default$|^3\.10\.0-|\.tl\d|\.oc\d|\.ocs/

/** Major and minor number of a release, such as 6.1; undefined where it does not start with two numbers. */
export function parseRelease (release: string): Version | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})(?!\d)/.exec(release)
  return match === null ? undefined : [Number(match[1]), Number(match[2])]
}

function isAtLeast (version: Version, since: Version): boolean { return version[0] > since[0] || (version[0] === since[0] && version[1] >= since[1]) }

/** Whether a release is an update of the same series, and no older one. Where a distribution writes `.0-`, the update is not known. */
function hasUpdate (release: string | undefined, update: Row['update']): boolean {
  const match = /^(\d{1,3})\.(\d{1,3})\.([1-9]\d{0,3})(?!\d)/.exec(release ?? '')
  return match !== null && update !== undefined && Number(match[1]) === update[0] && Number(match[2]) === update[1] && Number(match[3]) >= update[2]
}

/** What the verifier of a kernel can do, by `uname -r`; the newest one's abilities where the release is not known. */
export function ageOf (release: string | undefined): Age {
  const version = release === undefined ? undefined : parseRelease(release)
  const isBackporting = release !== undefined && BACKPORTING.test(release)
  const answer = (name: AbilityName): Ability => {
    if (version === undefined) return release === undefined ? 'yes' : 'maybe'
    const row: Row = ABILITIES[name]
    if (isAtLeast(version, row.since) || hasUpdate(release, row.update)) return 'yes'
    return isBackporting || (row.alsoFrom !== undefined && isAtLeast(version, row.alsoFrom)) ? 'maybe' : 'no'
  }
  return {
    decidesBranches: answer('decidesBranches'),
    decidesBitTests: answer('decidesBitTests'),
    comparesRanges: answer('comparesRanges'),
    knowsSubregisters: answer('knowsSubregisters'),
    linksCopies: answer('linksCopies'),
    linksSpills: answer('linksSpills'),
    spillsConstants: answer('spillsConstants'),
    spillsRanges: answer('spillsRanges'),
    spillsNarrow: answer('spillsNarrow'),
    fillsNarrow: answer('fillsNarrow'),
    spillsImmediates: answer('spillsImmediates'),
    keepsZeroes: answer('keepsZeroes'),
    readsFrozenMaps: answer('readsFrozenMaps'),
    foldsXor: answer('foldsXor'),
    foldsNegation: answer('foldsNegation'),
    foldsByteSwap: answer('foldsByteSwap'),
    foldsDivision: answer('foldsDivision'),
    multipliesUnknowns: answer('multipliesUnknowns'),
    forgetsUpperHalf: answer('forgetsUpperHalf'),
    decidesPointers: answer('decidesPointers'),
    knowsElements: answer('knowsElements'),
    verifiesGlobals: answer('verifiesGlobals'),
    verifiesGlobalsLazily: answer('verifiesGlobalsLazily'),
    repeatsCallbacks: answer('repeatsCallbacks')
  }
}
