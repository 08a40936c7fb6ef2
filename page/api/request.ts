import type { ProblemJson } from '../../src/wire/problem.js'

/** What the service refused, and why. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly status: number
  readonly code: string
  /** The problem document; of what a proxy answers only what is known. */
  readonly problem: Partial<Omit<ProblemJson, 'code'>> & { readonly code?: string } & Readonly<Record<string, unknown>>

  constructor (status: number, problem: Refusal['problem']) {
    super(problem.detail ?? `The service, or a proxy before it, answered with status ${status}.`)
    this.status = status
    this.code = problem.code ?? 'none'
    this.problem = problem
  }
}

export type Send = (path: string, init?: RequestInit) => Promise<Response>

/** How often a request that the service has no room for is sent again. */
const MAX_ATTEMPTS = 5
const MAX_WAIT_S = 60

/**
 * Sends requests to the service that the page is from.
 *
 * @param token what callers are known by; undefined where there is none. Asked for each time
 * @param onWait told how many seconds a request waits before it is sent again; what it returns is called when that is over
 */
export function createSend (token: () => string | undefined, onWait: (seconds: number) => () => void): Send {
  return async (path, init = {}) => {
    for (let attempt = 1; ; attempt++) {
      const response = await sendOnce(path, init, token())
      if (response.ok || response.status === 304) return response
      const waitS = Number(response.headers.get('retry-after'))
      const isBusy = response.status === 429 || response.status === 503
      if (!isBusy || attempt === MAX_ATTEMPTS || !(waitS > 0 && waitS <= MAX_WAIT_S)) throw await refusalOf(response)
      await response.body?.cancel()
      const end = onWait(waitS)
      await wait(waitS * 1000, init.signal ?? undefined).finally(end)
    }
  }
}

async function sendOnce (path: string, init: RequestInit, token: string | undefined): Promise<Response> {
  const headers = new Headers(init.headers)
  if (token !== undefined) headers.set('authorization', `Bearer ${token}`)
  try {
    // Relative: the service may be below a path of a proxy.
    return await fetch(new URL(path, document.baseURI), { ...init, headers, credentials: 'same-origin', redirect: 'error' })
  } catch (error) {
    if (init.signal?.aborted === true) throw error
    throw new Refusal(0, { code: 'unreachable', detail: 'The service cannot be reached; see whether it runs, and try again.' })
  }
}

async function refusalOf (response: Response): Promise<Refusal> {
  const isProblem = response.headers.get('content-type')?.includes('json') === true
  return new Refusal(response.status, isProblem ? await readJson<Refusal['problem']>(response).catch(() => ({})) : {})
}

/** The service and its page are of one build, and a compiler check holds what it writes to the types of src/wire. */
export async function readJson<T> (response: Response): Promise<T> { return await whole(response.json()) as T }

/** A body that is read; browsers say of one that breaks off `network error`, and of half a document where its text ends. */
export async function whole<T> (reading: Promise<T>): Promise<T> {
  try {
    return await reading
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    throw new Refusal(0, { code: 'unreachable', detail: BROKEN_OFF })
  }
}

/** Why there is a part of an answer and no more. */
export const BROKEN_OFF = 'The connection to the service broke off before the whole answer was there; see whether it runs, and try again.'

async function wait (ms: number, signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(resolve, ms)
    signal?.addEventListener('abort', () => {
      clearTimeout(timer)
      reject(signal.reason)
    }, { once: true })
  })
}

/** In a sentence. */
export function messageOf (error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
