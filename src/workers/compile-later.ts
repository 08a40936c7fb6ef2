import { setFlagsFromString } from 'node:v8'

/** An option of V8 with which it compiles what runs often later than by itself, and the same as V8 has it. */
interface Option {
  readonly later: string
  readonly usual: string
}

/**
 * By V8's version. What it compiles in the background while a command runs for a second or two, or the first checks of a service, mostly
 * pays off after their end: a fifth of a command's time on Node 20, a seventh on Node 22. What runs for longer is still compiled. Node 24
 * waits long enough by itself.
 */
const OPTIONS: Readonly<Record<string, Option>> = {
  11.3: { later: '--interrupt-budget=1000000', usual: '--interrupt-budget=67584' },
  12.4: { later: '--invocation-count-for-turbofan=6000', usual: '--invocation-count-for-turbofan=3000' }
}

/** How many want it. */
let wanted = 0

/**
 * Has V8 compile later, until what it gives is called: in the whole process, since V8 has its options for that. What requests run is
 * compiled as soon as ever in a service that is not asked for checks; beside a check it waits, too.
 */
export function compileLater (): () => void {
  const option = OPTIONS[process.versions.v8.split('.').slice(0, 2).join('.')]
  if (option === undefined) return () => {}
  if (wanted++ === 0) setFlagsFromString(option.later)
  let isOver = false
  return () => {
    if (isOver) return
    isOver = true
    if (--wanted === 0) setFlagsFromString(option.usual)
  }
}

/** So long after it has started, a service is one that has been running for a while. */
const START_MS = 10_000
let endStart = (): void => {}

/** The same for the start of a service, which ends with the first request: what thousands of them run is to be compiled soon. */
export function compileLaterAtStart (): void {
  endStart = compileLater()
  setTimeout(endStart, START_MS).unref()
}

/** Notes that a request was answered, or that threads work for one. A check is none, and has the option for itself. */
export function noteRequest (): void { endStart() }
