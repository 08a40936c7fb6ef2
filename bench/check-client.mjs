import { readFileSync } from 'node:fs'
import { basename } from 'node:path'

/**
 * On all kernels that are held: rows of one object as they come; of several objects in groups, since an answer has its limit. No more of it
 * is kept than the summary at its end: to make text of many megabytes would take this machine from the service, which has one of its own.
 */
export async function check (address, files, { serial, signal } = {}) {
  const form = new FormData()
  for (const file of files) form.append('object', new Blob([anew(readFileSync(file), serial)]), basename(file))
  form.append('kernels', '*')
  if (files.length > 1) form.append('group', 'outcome')
  const response = await fetch(`${address}/check`, {
    method: 'POST', body: form, headers: { accept: 'application/x-ndjson' }, ...(signal === undefined ? {} : { signal })
  })
  const end = await endOf(response.body)
  if (response.status !== 200) throw new Error(`the check answered ${response.status}: ${end}`)
  const { summary } = JSON.parse(end.slice(end.lastIndexOf('\n') + 1))
  if (summary.rows !== summary.kernels * files.length) throw new Error(`the check answered ${summary.rows} rows`)
  return summary
}

/** The last of an answer as text, without white space behind it; a summary of a hundred objects has 20 KB. */
async function endOf (body) {
  let end = Buffer.alloc(0)
  for await (const chunk of body) {
    end = chunk.length > END_BYTES ? chunk.subarray(-END_BYTES) : Buffer.concat([end, chunk]).subarray(-END_BYTES)
  }
  return Buffer.from(end).toString().trimEnd()
}

const END_BYTES = 64 * 1024

/** The same object under another hash. */
export function anew (object, serial) {
  return serial === undefined ? object : Buffer.concat([object, Buffer.from(`${serial} ${process.hrtime.bigint()}`)])
}
