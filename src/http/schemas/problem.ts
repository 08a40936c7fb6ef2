import { Type, type Static } from 'typebox'
import { ERRORS, type ErrorCode } from '../../errors.js'
import { PROBLEM_TYPE, type ProblemJson } from '../../wire/problem.js'
import { choice } from './fields.js'
import type { Same } from './same.js'

const CODES = Object.keys(ERRORS) as ErrorCode[]

export const Problem = Type.Object({
  type: Type.String({ description: '`urn:corelo:problem:` and the code.', examples: ['urn:corelo:problem:kernel_unknown'] }),
  title: Type.String(),
  status: Type.Integer({ minimum: 400, maximum: 599 }),
  detail: Type.String({ description: 'One sentence that tells what to do.' }),
  code: choice(CODES),
  request_id: Type.String()
}, { $id: 'Problem', additionalProperties: true, description: 'RFC 9457. Codes have members of their own: see docs/errors.md.' })

true satisfies Same<Static<typeof Problem>, ProblemJson>

/** Every route may answer these. */
const EVERYWHERE: readonly ErrorCode[] = ['invalid_request', 'headers_too_large', 'internal_error', 'overloaded', 'draining']

/** The answers of a route: the good ones as given, the errors by status. */
export function responses (good: Readonly<Record<number, object>>, ...codes: readonly ErrorCode[]): Record<number, object> {
  const byStatus = new Map<number, ErrorCode[]>()
  for (const code of CODES) {
    if (!codes.includes(code) && !EVERYWHERE.includes(code)) continue
    const { status } = ERRORS[code]
    byStatus.set(status, [...byStatus.get(status) ?? [], code])
  }
  const bad = [...byStatus].map(([status, codes]) => [status, {
    description: codes.map(code => `\`${code}\`: ${ERRORS[code].title}.`).join(' '),
    content: { [PROBLEM_TYPE]: { schema: Type.Ref('Problem') } }
  }])
  return { ...good, ...Object.fromEntries(bad) }
}
