import { readFileSync } from 'node:fs'
import { basename } from 'node:path'

/** On all kernels that are held: rows of one object as they come; of several objects in groups, since an answer has its limit. */
export async function check (address, files, { serial, signal } = {}) {
  const form = new FormData()
  for (const file of files) form.append('object', new Blob([anew(readFileSync(file), serial)]), basename(file))
  form.append('kernels', '*')
  if (files.length > 1) form.append('group', 'outcome')
  const response = await fetch(`${address}/check`, {
    method: 'POST', body: form, headers: { accept: 'application/x-ndjson' }, ...(signal === undefined ? {} : { signal })
  })
  const lines = (await response.text()).trim().split('\n')
  const { summary } = JSON.parse(lines.at(-1))
  if (response.status !== 200 || summary.rows !== summary.kernels * files.length) {
    throw new Error(`the check answered ${response.status} with ${lines.length} lines`)
  }
  return summary
}

/** The same object under another hash. */
export function anew (object, serial) {
  return serial === undefined ? object : Buffer.concat([object, Buffer.from(`${serial} ${process.hrtime.bigint()}`)])
}
