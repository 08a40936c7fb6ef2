import { AppError } from '../../errors.js'
import type { OpenedKernel, OpenKernel, OpenOptions } from './source.js'
import type { Refusal } from '../../fetch/refusal.js'

export type Opened = OpenedKernel & { readonly state: 'opened' }

/**
 * Opens what a source gave. What cannot be read is the source's fault and an outcome; that no worker was free is ours, and
 * thrown.
 *
 * @param what the thing that was opened, as an answer names it
 * @throws AppError `overloaded`, `draining`, `internal_error`
 */
export async function openOrRefuse (
  open: OpenKernel,
  content: Parameters<OpenKernel>[0],
  options: OpenOptions,
  what: string
): Promise<Opened | Refusal> {
  try {
    const opened = await open(content, options)
    if (opened === undefined) return { state: 'absent', answer: `${what} is not there` }
    return { state: 'opened', ...opened }
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    if (error.code === 'btf_invalid' || error.code === 'too_large') {
      return { state: 'malformed', answer: `${what} cannot be used: ${error.message.replace(/\.$/, '')}` }
    }
    if (error.code === 'storage_unreadable') {
      return { state: 'failed', answer: `${what} cannot be read (${String(error.details['error'])})` }
    }
    if (error.code === 'deadline_exceeded') return { state: 'timeout', answer: `${what} could not be read in time` }
    throw error
  }
}
