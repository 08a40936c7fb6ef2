import { answerError } from './problem.js'
import type { Reply } from './transport.js'

/** @throws AppError `source_invalid` where the body is no JSON */
export function parseJson ({ body }: Reply, server: string): unknown {
  const value = tryParse(body.toString())
  if (value === undefined) throw answerError(server, `${server} answered with something else than JSON.`)
  return value
}

/** The value that a text stands for; undefined where it is no JSON. */
export function tryParse (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
