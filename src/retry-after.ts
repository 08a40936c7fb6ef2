/** No origin is believed that asks for more, in milliseconds. */
const MOST_MS = 3_600_000

/**
 * What a Retry-After header asks for, in milliseconds from now: seconds, or a date. Undefined where it says nothing that can
 * be understood.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
 */
export function parseRetryAfter (header: string | undefined, now = Date.now()): number | undefined {
  if (header === undefined) return undefined
  const text = header.trim()
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(0, ms), MOST_MS)
}
