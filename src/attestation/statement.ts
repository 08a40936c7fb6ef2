import { hexOf, isSha256, sha256, type Sha256 } from '../store/sha256.js'
import { memberOf, parseJson } from './dsse.js'
import { findingsIn, findingsMembers, type AttestedFindings, type Findings } from './findings.js'

/** https://github.com/in-toto/attestation/blob/v1.0/spec/v1.0/statement.md */
export const PAYLOAD_TYPE = 'application/vnd.in-toto+json'
/** An envelope on its own, named as in-toto asks: `application/vnd.in-toto.<predicate>+dsse`. */
export const ENVELOPE_TYPE = 'application/vnd.in-toto.relocation+dsse'
const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1'
const PREDICATE_TYPE = 'urn:corelo:relocation:v1'
const SUBJECT_NAME = 'relocated.bpf.o'
/** What the one descriptor of a long list of modules is called. */
const MODULE_LIST = 'modules'
/**
 * An attestation travels in a header, and clients and proxies take 4 to 8 KiB of one. More modules than this are attested by
 * the hash of their list.
 */
const MAX_LISTED_MODULES = 8

/** What is attested of one result. */
export interface RelocationFacts {
  readonly resultSha256: Sha256
  readonly objectSha256: Sha256
  /** vmlinux BTF. */
  readonly btfSha256: Sha256
  readonly moduleSha256s: readonly Sha256[]
  /**
   * The name under which the service itself found the BTF. Null where the request brought or named the content: nobody vouches for a
   * name then.
   */
  readonly kernel: string | null
  readonly engine: { readonly name: string, readonly version: string, readonly semantics: string }
  readonly findings: Findings
}

/** What a statement says, its modules in the form that `attestedModules` gives. */
export interface AttestedFacts extends Omit<RelocationFacts, 'moduleSha256s' | 'findings'> {
  readonly modules: string
  readonly findings: AttestedFindings
}

/** What each member of the predicate says. docs/attestation.md is made from this. */
export const PREDICATE_MEMBERS = {
  object: 'Digest of the object that was relocated.',
  btf: "Digest of the kernel's BTF (vmlinux).",
  modules: "Digests of the modules' BTF, in the order in which they were consulted. " +
    `If there are more than ${MAX_LISTED_MODULES}, one descriptor named \`${MODULE_LIST}\` has the SHA-256 of the list: ` +
    '`sha256:<hex>` of each, separated by commas.',
  kernel: 'The kernel reference under which the service found the BTF. `null` if the request sent the BTF or named it by hash.',
  engine: 'Name and version of the engine, and the version of libbpf that it is equal to.',
  verdict: '`loads`, `fails` or `unknown`, as in the report.',
  assumes: 'What the verdict rests on that user space may change before it loads the object. ' +
    'A long list is its digest: SHA-256 of the lines, each with its newline.',
  counts: 'Number of relocations that were resolved, absent and poisoned.'
} as const satisfies Readonly<Record<string, string>>

/** An in-toto statement whose subject is the patched object, whatever form the answer has. */
export function serializeStatement (facts: RelocationFacts): string {
  return JSON.stringify({
    _type: STATEMENT_TYPE,
    subject: [{ name: SUBJECT_NAME, ...descriptor(facts.resultSha256) }],
    predicateType: PREDICATE_TYPE,
    predicate: {
      object: descriptor(facts.objectSha256),
      btf: descriptor(facts.btfSha256),
      modules: descriptorsOf(facts.moduleSha256s),
      kernel: facts.kernel,
      engine: facts.engine,
      ...findingsMembers(facts.findings)
    }
  })
}

/** What a statement of ours says; undefined where the text is none. */
export function parseStatement (text: string): AttestedFacts | undefined {
  const json = parseJson(text)
  const subject = memberOf(json, 'subject')
  if (memberOf(json, '_type') !== STATEMENT_TYPE || memberOf(json, 'predicateType') !== PREDICATE_TYPE) return undefined
  if (!Array.isArray(subject) || subject.length !== 1) return undefined
  const predicate = memberOf(json, 'predicate')
  const resultSha256 = digestIn(subject[0])
  const objectSha256 = digestIn(memberOf(predicate, 'object'))
  const btfSha256 = digestIn(memberOf(predicate, 'btf'))
  const modules = memberOf(predicate, 'modules')
  const kernel = memberOf(predicate, 'kernel')
  const engine = engineIn(memberOf(predicate, 'engine'))
  const findings = findingsIn(predicate)
  if (resultSha256 === undefined || objectSha256 === undefined || btfSha256 === undefined) return undefined
  if (engine === undefined || findings === undefined) return undefined
  if (!Array.isArray(modules) || (kernel !== null && typeof kernel !== 'string')) return undefined
  return { resultSha256, objectSha256, btfSha256, modules: JSON.stringify(modules), kernel, engine, findings }
}

/** The modules of a list as a statement has them, to compare with `AttestedFacts.modules`. */
export function attestedModules (moduleSha256s: readonly Sha256[]): string { return JSON.stringify(descriptorsOf(moduleSha256s)) }

/**
 * The hash of a long list is the `module_list` of `Content-Location`, that of its text: the hashes as the contract writes them,
 * separated by commas.
 */
function descriptorsOf (moduleSha256s: readonly Sha256[]): ReadonlyArray<Record<string, unknown>> {
  if (moduleSha256s.length <= MAX_LISTED_MODULES) return moduleSha256s.map(descriptor)
  return [{ name: MODULE_LIST, ...descriptor(sha256(moduleSha256s.join(','))) }]
}

/** A resource descriptor of in-toto. Its digests are bare hex. */
function descriptor (sha256: Sha256): Record<string, unknown> { return { digest: { sha256: hexOf(sha256) } } }

function digestIn (value: unknown): Sha256 | undefined {
  const hex = memberOf(memberOf(value, 'digest'), 'sha256')
  const hash = `sha256:${typeof hex === 'string' ? hex : ''}`
  return isSha256(hash) ? hash : undefined
}

function engineIn (value: unknown): RelocationFacts['engine'] | undefined {
  const [name, version, semantics] = ['name', 'version', 'semantics'].map(member => memberOf(value, member))
  return typeof name === 'string' && typeof version === 'string' && typeof semantics === 'string' ? { name, version, semantics } : undefined
}
