import { answerError } from './problem.js'
import type { Reply } from './transport.js'
import { tryParse } from '../wire/parse-json.js'

/** @throws AppError `source_invalid` where the body is no JSON */
export function parseJson ({ body }: Reply, server: string): unknown {
  const value = tryParse(body.toString())
  if (value === undefined) throw answerError(server, `${server} answered with something else than JSON.`)
  return value
}
