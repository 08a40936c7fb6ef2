import { AppError } from '../../errors.js'
import { isScope, parseScopes, type Scope } from './identity.js'

/** Which scopes the subjects of tokens have. The first pattern that fits counts. */
export type ScopeMap = ReadonlyArray<{ readonly pattern: RegExp, readonly scopes: ReadonlySet<Scope> }>

/**
 * Reads CORELO_JWT_SCOPES: `relocate,upload` for every subject, or `<subject>=<scopes>` separated by semicolons, in which `*`
 * stands for any text: `system:serviceaccount:corelo:agent=relocate,upload; *=relocate`.
 *
 * @throws AppError `invalid_request`
 */
export function parseScopeMap (text: string): ScopeMap {
  return text.split(';').map(entry => {
    const at = entry.lastIndexOf('=')
    const scopes = parseScopes(entry.slice(at + 1))
    const subject = at === -1 ? '*' : entry.slice(0, at).trim()
    if (scopes === undefined || subject === '') {
      throw new AppError('invalid_request',
        'CORELO_JWT_SCOPES must be scopes (relocate, upload, admin) separated by commas, ' +
        `or <subject>=<scopes> separated by semicolons; ${JSON.stringify(entry.trim())} is neither.`,
        { setting: 'CORELO_JWT_SCOPES' })
    }
    return { pattern: new RegExp(`^${subject.split('*').map(escape).join('.*')}$`, 's'), scopes }
  })
}

/**
 * What a token allows: what its claim `scope` says (a text with spaces, or a list), else what its subject is mapped to. Words in
 * the claim that are not ours belong to other services.
 */
export function scopesOf (claim: unknown, subject: string, map: ScopeMap): ReadonlySet<Scope> {
  const words: unknown[] | undefined = typeof claim === 'string' ? claim.split(' ') : Array.isArray(claim) ? claim : undefined
  if (words !== undefined) return new Set(words.filter((word): word is Scope => typeof word === 'string' && isScope(word)))
  return map.find(({ pattern }) => pattern.test(subject))?.scopes ?? new Set()
}

function escape (text: string): string { return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&') }
