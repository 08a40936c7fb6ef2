import { setPriority } from 'node:os'

/** As nice as a thread can be: it gets what of the processors nobody else wants, and leaves them at once to who does. */
const NICEST = 19

/**
 * Lets this thread give way to all others, those of this process among them. Only Linux knows the priority of one thread
 * (setpriority(2), "C library/kernel differences"); elsewhere it would be that of the process.
 */
export function giveWay (): void {
  if (process.platform !== 'linux') return
  try {
    setPriority(0, NICEST)
  } catch {
    // a sandbox that forbids it: the thread works as fast as others
  }
}
