import type { Matrix } from '../model/matrix.js'
import { appendObject, withObjects, type ChosenObject } from './objects.js'
import { whole, type Send } from './request.js'

export interface CheckQuestion {
  readonly objects: readonly ChosenObject[]
  readonly patterns: readonly string[]
  /** Whether kernels that are not held are fetched. */
  readonly fetch: boolean
}

/** Characters of one part of the form; the service takes 64 KiB. */
const PART = 60_000

/**
 * Asks for the rows of a check, and puts each into the matrix as it comes. Where they are more than one answer may have, which repeats
 * what is wrong for each kernel, it asks again for groups, which come when all is known.
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
  await readRows(send, question, '', matrix, signal, onRows)
  if (matrix.earlyEnd?.code === 'too_large') await readRows(send, question, '?group=outcome', matrix, signal, onRows)
}

async function readRows (
  send: Send,
  question: CheckQuestion,
  query: string,
  matrix: Matrix,
  signal: AbortSignal,
  onRows: () => void
): Promise<void> {
  const response = await withObjects(question.objects, async isHeld =>
    await send(`check${query}`, { method: 'POST', body: formOf(question, isHeld), headers: { accept: 'application/x-ndjson' }, signal }))
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  if (reader === undefined) return
  let rest = ''
  for (;;) {
    const { value, done } = await whole(reader.read())
    if (done) break
    const lines = (rest + value).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) matrix.add(line)
    onRows()
  }
  // Each line ends with a line feed: what follows the last one is a part of a line, of an answer that broke off.
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
