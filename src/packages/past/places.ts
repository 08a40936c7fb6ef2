import type { HttpClient } from '../../fetch/http-client.js'
import { shownUrl } from '../../fetch/shown-url.js'
import type { Refusal } from '../../fetch/refusal.js'
import { malformed, refused } from '../refresh-apt.js'

/** A suite as it was at a time, with all its signed indexes: where a package that the suite no longer lists may be proven. */
export interface PastPlace {
  readonly base: URL
  readonly suite: string
  readonly components: readonly string[]
  /** Version of the package that it is to have. */
  readonly version: string
}

export type PastPlaces = { readonly state: 'ok', readonly places: readonly PastPlace[] } | Refusal

export interface PastQuestion {
  readonly client: HttpClient
  readonly release: string
  readonly signal: AbortSignal
}

/** Builds of one release that are looked for. */
export const MOST_VERSIONS = 4
/** An answer about one package. Those about kernels have a few kilobytes. */
const MOST_BYTES = 4 * 1024 * 1024

/** What an interface answers in JSON. Never rejects. */
export async function getJson (
  client: HttpClient, url: URL, signal: AbortSignal
): Promise<{ readonly state: 'ok', readonly json: unknown } | Refusal> {
  const answer = await client.get({ url, maxBytes: MOST_BYTES, signal, headers: { accept: 'application/json' } })
  if (answer.state === 'unchanged') return refused('failed', `${shownUrl(url)} answered 304 to what was no such question`)
  if (answer.state !== 'ok') return answer
  try {
    return { state: 'ok', json: JSON.parse(Buffer.from(answer.bytes).toString('utf8')) }
  } catch (error) {
    return malformed(`${shownUrl(url)} is not JSON`, error)
  }
}

export type Texts = Readonly<Record<string, string | undefined>>

/** The texts of an object; what is no text, or of a form that a path cannot have, is left out. */
export function textsOf (value: unknown): Texts {
  if (typeof value !== 'object' || value === null) return {}
  return Object.fromEntries(Object.entries(value)
    .filter((entry): entry is [string, string] => typeof entry[1] === 'string' && entry[1].length <= 1024))
}

export function listOf (value: unknown, member: string): readonly unknown[] {
  const list = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[member] : undefined
  return Array.isArray(list) ? list : []
}
