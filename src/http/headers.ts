import { ENGINE } from '../relocation/engine.js'
import type { RelocateAnswer } from '../relocation/types.js'
import { hexOf } from '../store/sha256.js'
import type { Sha256 } from '../store/sha256.js'
import { nameModuleList } from './module-lists.js'

/** A hash as the digest fields of RFC 9530 write it. */
export function digestOf (sha256: Sha256): string {
  return `sha-256=:${Buffer.from(hexOf(sha256), 'hex').toString('base64')}:`
}

/** What RFC 9530 says of an answer without content, such as that to HEAD. */
export const DIGEST_OF_NOTHING = 'sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:'

/**
 * A strong entity tag. The suffix tells representations of one result apart: a cache that asks "is this still good?" with the
 * tag of the object must not be told so for the report.
 */
export function etagOf (sha256: Sha256, suffix = ''): string { return `"${sha256}${suffix}"` }

/** Whether If-None-Match names the tag. Weak comparison, as RFC 9110 13.1.2 asks. */
export function isNoneMatchHit (header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  if (header === etag || header.trim() === '*') return true
  return (header.match(/(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g) ?? []).some(tag => (tag.startsWith('W/') ? tag.slice(2) : tag) === etag)
}

/** More modules than this make an address longer than proxies take, which is 4 to 8 KiB for all headers. */
const MAX_SPELLED_MODULES = 8

/**
 * The address at which the same bytes can be had for ever. A long list of modules is named by its digest, which the service can
 * tell for as long as it remembers the list: see module-lists.ts.
 */
export function contentLocationOf ({ objectSha256, btfSha256, moduleSha256s }: RelocateAnswer): string {
  const modules = moduleSha256s.length === 0
    ? ''
    : moduleSha256s.length <= MAX_SPELLED_MODULES
      ? `&modules=${moduleSha256s.join(',')}`
      : `&module_list=${nameModuleList(moduleSha256s)}`
  return `/relocated/${objectSha256}/${btfSha256}?engine=${ENGINE.version}${modules}`
}

export function serverTimingOf ({ resolve, fetch, parse, relocate }: RelocateAnswer['timing']): string {
  return `resolve;dur=${milliseconds(resolve)}, fetch;dur=${milliseconds(fetch)}, ` +
    `parse;dur=${milliseconds(parse)}, relocate;dur=${milliseconds(relocate)}`
}

/** Whole microseconds: finer is noise, and `toFixed` costs more than all the rest of the line. */
function milliseconds (value: number): number { return Math.round(value * 1000) / 1000 }

export function countsOf ({ resolved, absent, poisoned }: RelocateAnswer['counts']): string {
  return `resolved=${resolved}, absent=${absent}, poisoned=${poisoned}`
}

export const IMMUTABLE = 'public, max-age=31536000, immutable'
/** Keep it, but ask with If-None-Match before using it: names change their content, hashes do not. */
export const REVALIDATE = 'no-cache'
/** What the current engine gives, which the next one may not. */
export const FIVE_MINUTES = 'public, max-age=300'
export type CacheControl = typeof IMMUTABLE | typeof REVALIDATE | typeof FIVE_MINUTES
