import type { Matrix } from '../model/matrix.js'
import { appendObject, type ChosenObject } from './objects.js'
import { Refusal, type Send } from './request.js'

export interface CheckQuestion {
  readonly objects: readonly ChosenObject[]
  readonly patterns: readonly string[]
  /** Whether kernels that are not held are fetched. */
  readonly fetch: boolean
}

/** Characters of one part of the form; the service takes 64 KiB. */
const PART = 60_000

/**
 * Asks for the rows of a check, and puts each into the matrix as it comes.
 *
 * @param onRows called when some have come
 */
export async function runCheck (
  send: Send,
  question: CheckQuestion,
  matrix: Matrix,
  signal: AbortSignal,
  onRows: () => void
): Promise<void> {
  const response = await begin(send, question, signal)
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  if (reader === undefined) return
  let rest = ''
  for (;;) {
    const { value, done } = await reader.read()
    if (done) break
    const lines = (rest + value).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) matrix.add(line)
    onRows()
  }
  matrix.add(rest)
  onRows()
}

/** By hash first, where the hashes are known: most of the time the service holds what it was sent before. */
async function begin (send: Send, question: CheckQuestion, signal: AbortSignal): Promise<Response> {
  const ask = async (isHeld: boolean): Promise<Response> =>
    await send('check', { method: 'POST', body: formOf(question, isHeld), headers: { accept: 'application/x-ndjson' }, signal })
  try {
    return await ask(true)
  } catch (error) {
    const hasFiles = question.objects.every(({ file }) => file !== undefined)
    if (!(error instanceof Refusal) || error.code !== 'object_unknown' || !hasFiles) throw error
    return await ask(false)
  }
}

function formOf ({ objects, patterns, fetch }: CheckQuestion, isHeld: boolean): FormData {
  const form = new FormData()
  for (const object of objects) appendObject(form, object, isHeld)
  let part = ''
  for (const pattern of patterns) {
    if (part.length + pattern.length >= PART) {
      form.append('kernels', part)
      part = ''
    }
    part += `${pattern}\n`
  }
  form.append('kernels', part)
  if (fetch) form.append('fetch', 'true')
  return form
}
