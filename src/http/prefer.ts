import type { FastifyRequest } from 'fastify'

/** No request waits longer for a fetch, whatever it prefers. Proxies cut connections that are silent for longer. */
const MOST_WAIT_S = 300

/**
 * Milliseconds that a caller wants to wait for a kernel that is being fetched: `Prefer: wait=<seconds>`. 0 where it does not say;
 * other preferences are not known here and left alone, as is what cannot be understood.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7240#section-4.3
 */
export function preferredWaitMs (request: FastifyRequest): number {
  const prefer = request.headers['prefer']
  if (prefer === undefined) return 0
  const seconds = /(?:^|[,;])\s*wait\s*=\s*"?(\d{1,9})"?\s*(?:$|[,;])/i.exec(String(prefer))?.[1]
  return seconds === undefined ? 0 : Math.min(MOST_WAIT_S, Number(seconds)) * 1000
}

/**
 * Whether a caller says that nobody waits for the answer: `Priority: u=7`, the urgency of work in the background. Where that cannot be
 * understood, somebody waits.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9218#section-4.1
 */
export function isInBackground (request: FastifyRequest): boolean {
  return /(?:^|,)\s*u=7\s*(?:$|[,;])/.test(String(request.headers['priority'] ?? ''))
}
