/**
 * What threads do that do not give way, as numbers in shared memory, which threads of the background look at between pieces of their work:
 * the tasks that they have at the moment, and how many requests were answered without one, which goes round.
 */
export type OthersWork = Int32Array

export const TASKS = 0
export const ANSWERS = 1

export function createOthersWork (): OthersWork { return new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT)) }
