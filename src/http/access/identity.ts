/** What a caller may be allowed. `admin` includes the others. */
const SCOPES = ['relocate', 'upload', 'admin'] as const
export type Scope = typeof SCOPES[number]

/** Who calls, as credentials that were checked say. */
export interface Identity {
  /** For logs and provenance: `token:<name>`, or the subject of a JWT. */
  readonly name: string
  /** What requests are counted by: the name, and the pod where a Kubernetes token says which one. Agents of a fleet share a name. */
  readonly key: string
  readonly scopes: ReadonlySet<Scope>
}

/** Checks credentials. */
export interface Authenticator {
  /**
   * @param token what came after `Bearer`
   * @throws AppError `unauthorized`, or `overloaded` where it cannot be decided now
   */
  identify (token: string): Promise<Identity>
  /** The same where it is known without waiting; undefined where it is not, or where the token is refused. */
  identifyAtOnce (token: string): Identity | undefined
}

export function isScope (text: string): text is Scope { return (SCOPES as readonly string[]).includes(text) }

export function allows ({ scopes }: Identity, needed: Scope): boolean { return scopes.has(needed) || scopes.has('admin') }

/** The scopes of a list that is separated by commas; undefined where one of them is none of ours, or there is none. */
export function parseScopes (text: string): ReadonlySet<Scope> | undefined {
  const names = text.split(',').map(name => name.trim())
  return names.every(isScope) ? new Set(names) : undefined
}
