import type { SummaryCounter } from '../../check/summary.js'
import type { RelocateAnswer } from '../../relocation/types.js'
import { inOnePiece, type Log } from '../log.js'
import type { EndOfRequest, RequestFacts } from './request-end.js'

/** Writes one line a request, when it is over. */
export function requestLine (log: Log): EndOfRequest {
  return (facts, { status, isAnswered, ms }) => {
    const level = facts.isOperational ? 'debug' : 'info'
    log.json(level, () => membersOf(facts, status, ms), isAnswered ? 'request' : 'request whose caller left')
  }
}

/** As JSON without braces. Ids and methods have no characters that JSON escapes, and routes are ours. */
function membersOf ({ id, method, route, identity, problem, answer, check }: RequestFacts, status: number, ms: number): string {
  let members = `"request_id":"${id}${kindMembers(method, route, status)}${Math.round(ms * 100) / 100}`
  if (identity !== null) members += `,"identity":${JSON.stringify(identity.name)}`
  if (problem !== null) members += `,"code":"${problem}"`
  if (answer !== null) members += `,${answerMembers(answer)}`
  if (check !== null) members += `,${checkMembers(check)}`
  return members
}

function checkMembers (check: SummaryCounter): string {
  const { verdict, objects, kernels, rows, outcomes } = check.summary()
  return JSON.stringify({ verdict, objects: objects.length, kernels, rows, outcomes }).slice(1, -1)
}

let kind: { readonly method: string, readonly route: string | undefined, readonly status: number, readonly members: string } | undefined

/** From the end of the id to the milliseconds. Kept until the next request of another kind: fewer pieces make a line cheaper. */
function kindMembers (method: string, route: string | undefined, status: number): string {
  if (kind?.method === method && kind.route === route && kind.status === status) return kind.members
  const named = route === undefined ? '' : `,"route":"${route}"`
  kind = { method, route, status, members: inOnePiece(`","method":"${method}"${named},"status":${status},"ms":`) }
  return kind.members
}

/** Answers that are held are the same object each time. */
const known = new WeakMap<RelocateAnswer, string>()

function answerMembers (answer: RelocateAnswer): string {
  const held = known.get(answer)
  if (held !== undefined) return held
  const { objectSha256: object, btfSha256: btf, kernel, verdict, cached } = answer
  const members = JSON.stringify({ object, btf, kernel, verdict, cached }).slice(1, -1)
  if (cached) known.set(answer, members)
  return members
}
