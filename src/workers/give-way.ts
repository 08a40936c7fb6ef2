import { setPriority } from 'node:os'

/**
 * Beside a thread that wants all of a processor, one of this niceness gets a tenth of it (110 of 1,134, by the kernel's
 * sched_prio_to_weight), and leaves it at once to one that wakes up. Less would let a busy service starve a check.
 */
const NICENESS = 10

/**
 * Lets this thread give way to all others, those of this process among them. Only Linux knows the priority of one thread
 * (setpriority(2), "C library/kernel differences"); elsewhere it would be that of the process.
 */
export function giveWay (): void {
  if (process.platform !== 'linux') return
  try {
    setPriority(0, NICENESS)
  } catch {
    // a sandbox that forbids it: the thread works as fast as others
  }
}
