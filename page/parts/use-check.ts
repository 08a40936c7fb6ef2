import { useEffect, useRef, useState } from 'preact/hooks'
import { runCheck, type CheckQuestion } from '../api/check.js'
import { BROKEN_OFF, messageOf, type Send } from '../api/request.js'
import { createMatrix, type Matrix } from '../model/matrix.js'

export interface CheckRun {
  readonly matrix: Matrix
  readonly state: 'running' | 'done' | 'stopped' | 'failed'
  /** Why there are no more rows; undefined where all are there. */
  readonly problem: string | undefined
  /** Objects times kernels that were asked for. */
  readonly expected: number
  /** Another number whenever the matrix has more. */
  readonly version: number
}

/** The least time between two drawings of what has come, and its share of what drawing takes. */
const PAUSE_MS = 80
const PAUSE_FACTOR = 3

export interface Checking {
  readonly run: CheckRun | undefined
  start(question: CheckQuestion, expected: number): void
  stop(): void
  /** Forgets what was found, and stops what runs. */
  clear(): void
}

/** Runs one check at a time. */
export function useCheck (send: Send, noteFailure: (error: unknown) => void): Checking {
  const [run, setRun] = useState<CheckRun | undefined>(undefined)
  const leaving = useRef<AbortController | undefined>(undefined)
  useEffect(() => () => { leaving.current?.abort() }, [])

  const start = (question: CheckQuestion, expected: number): void => {
    leaving.current?.abort()
    const own = leaving.current = new AbortController()
    const matrix = createMatrix(question.objects.map(({ name, sha256 }) => ({ name, sha256 })))
    let version = 0
    let drawnAt = 0
    let pause = PAUSE_MS
    const show = (state: CheckRun['state'], problem?: string): void => {
      if (leaving.current !== own) return
      const begun = performance.now()
      setRun({ matrix, state, problem, expected, version: ++version })
      requestAnimationFrame(() => { pause = Math.max(PAUSE_MS, PAUSE_FACTOR * (performance.now() - begun)) })
      drawnAt = begun
    }
    show('running')
    runCheck(send, question, matrix, own.signal, () => {
      if (performance.now() - drawnAt >= pause) show('running')
    }).then(() => {
      if (own.signal.aborted) return
      const { summary, earlyEnd } = matrix
      if (summary === undefined) show('failed', earlyEnd?.detail ?? BROKEN_OFF)
      else show('done')
    }, (error: unknown) => {
      if (own.signal.aborted) return
      noteFailure(error)
      show('failed', messageOf(error))
    })
  }

  const stop = (): void => {
    leaving.current?.abort()
    setRun(run => run?.state === 'running' ? { ...run, state: 'stopped', version: run.version + 1 } : run)
  }
  const clear = (): void => {
    leaving.current?.abort()
    leaving.current = undefined
    setRun(undefined)
  }
  return { run, start, stop, clear }
}
