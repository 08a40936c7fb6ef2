import type { Counts, Verdict } from '../wire/report.js'
import { hexOf, isSha256, sha256, type Sha256 } from '../store/sha256.js'
import { memberOf } from './dsse.js'

/** What relocation came to for one kernel, as it is signed: nobody on the way can make `fails` of `loads`, or the other way round. */
export interface Findings {
  readonly verdict: Verdict
  /** What the verdict rests on and user space may set otherwise before it loads the object: `.rodata.enabled = 0`. */
  readonly assumes: readonly string[]
  readonly counts: Counts
}

/** Findings as a statement has them. `assumes` is undefined where it has only the hash of a long list. */
export interface AttestedFindings extends Pick<Findings, 'verdict' | 'counts'> {
  readonly assumes: readonly string[] | undefined
  /** Of the list, in the form of `assumptionsDigest`. Undefined where the list itself is there. */
  readonly assumesSha256: Sha256 | undefined
}

/** An attestation travels in a header. More characters of assumptions than this are attested by the hash of their list. */
const MAX_ASSUMPTIONS = 1024

/** Members of the predicate. */
export function findingsMembers ({ verdict, assumes, counts: { resolved, absent, poisoned } }: Findings): Record<string, unknown> {
  const isLong = JSON.stringify(assumes).length > MAX_ASSUMPTIONS
  const listed = isLong ? { digest: { sha256: hexOf(assumptionsDigest(assumes)) } } : assumes
  return { verdict, assumes: listed, counts: { resolved, absent, poisoned } }
}

/** The hash of a list of assumptions: of the lines, in their order, each with its end. */
export function assumptionsDigest (assumes: readonly string[]): Sha256 {
  return sha256(assumes.map(assumption => `${assumption}\n`).join(''))
}

/**
 * The findings in a predicate; undefined where they are malformed. A statement without any is of a service that did not sign them yet:
 * nothing is known then, which is a verdict too.
 */
export function findingsIn (predicate: unknown): AttestedFindings | undefined {
  const [verdict, assumes, counts] = ['verdict', 'assumes', 'counts'].map(member => memberOf(predicate, member))
  if (verdict === undefined && assumes === undefined && counts === undefined) {
    return { verdict: 'unknown', assumes: [], assumesSha256: undefined, counts: { resolved: 0, absent: 0, poisoned: 0 } }
  }
  const [resolved, absent, poisoned] = ['resolved', 'absent', 'poisoned'].map(member => memberOf(counts, member))
  if (!isVerdict(verdict) || !isCount(resolved) || !isCount(absent) || !isCount(poisoned)) return undefined
  const known = { verdict, counts: { resolved, absent, poisoned } }
  if (Array.isArray(assumes)) {
    return assumes.every(assumption => typeof assumption === 'string') ? { ...known, assumes, assumesSha256: undefined } : undefined
  }
  const hash = `sha256:${String(memberOf(memberOf(assumes, 'digest'), 'sha256'))}`
  return isSha256(hash) ? { ...known, assumes: undefined, assumesSha256: hash } : undefined
}

function isVerdict (value: unknown): value is Verdict { return value === 'loads' || value === 'fails' || value === 'unknown' }

function isCount (value: unknown): value is number { return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 }
