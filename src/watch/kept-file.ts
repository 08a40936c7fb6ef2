import { readFile } from 'node:fs/promises'
import { writeDurably } from '../store/atomic-file.js'
import { errorCode } from '../store/error-code.js'
import { sha256 } from '../store/sha256.js'

/** A file that is written as a whole whenever its content has changed, one write at a time. */
export interface KeptFile {
  /** What was last written here; undefined where there is nothing, or something that is damaged. */
  read(): Promise<string | undefined>
  /** The same of what replicas wrote last. */
  readElsewhere(signal?: AbortSignal): Promise<string | undefined>
  /** Writes what `text` gives when its turn comes. Resolves when that is on disk: true; or could not be put there: false. */
  save(): Promise<boolean>
}

/** Where replicas keep a copy for those that start without a file of their own. Nothing here rejects. */
export interface KeptElsewhere {
  read(signal?: AbortSignal): Promise<string | undefined>
  write(text: string): void
}

export interface KeptFileOptions {
  readonly path: string
  readonly elsewhere?: KeptElsewhere | undefined
  readonly text: () => string
  readonly warn: (message: string, facts: Record<string, unknown>) => void
}

const FORMAT = 'corelo watch 1'

const DAMAGED = 'What was known of new kernels is damaged; what is listed now counts as known.'

/** The first line has a checksum over the rest, so that a damaged file is noticed and not believed. */
export function createKeptFile ({ path, elsewhere, text, warn }: KeptFileOptions): KeptFile {
  let running: Promise<boolean> = Promise.resolve(true)
  let next: Promise<boolean> | undefined

  const write = async (): Promise<boolean> => {
    const body = text()
    const whole = `${headerOf(body)}\n${body}`
    elsewhere?.write(whole)
    try {
      await writeDurably(path, whole)
      return true
    } catch (error) {
      warn('What is known of new kernels cannot be kept: after a restart some are told of again, or not at all.',
        { path, error: errorCode(error) ?? String(error) })
      return false
    }
  }

  const bodyOf = (whole: string | undefined): string | undefined => {
    if (whole === undefined) return undefined
    const end = whole.indexOf('\n')
    const body = whole.slice(end + 1)
    if (whole.slice(0, end) === headerOf(body)) return body
    warn(DAMAGED, { path })
    return undefined
  }

  return {
    async read () {
      return bodyOf(await readFile(path, 'utf8').catch((error: unknown) => {
        if (errorCode(error) !== 'ENOENT') {
          warn('What was known of new kernels cannot be read.', { path, error: errorCode(error) ?? String(error) })
        }
        return undefined
      }))
    },
    async readElsewhere (signal) { return bodyOf(await elsewhere?.read(signal)) },
    save () {
      next ??= running.then(() => {
        next = undefined
        running = write()
        return running
      })
      return next
    }
  }
}

function headerOf (body: string): string { return JSON.stringify({ format: FORMAT, checksum: sha256(body) }) }
