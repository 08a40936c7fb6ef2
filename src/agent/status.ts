import { kindOf } from '../client/problem.js'
import type { AppError } from '../errors.js'

/** What programs find in the output folder for an object. */
export type Shown =
  /** The result of this object, verified with the service by this process. */
  | 'current'
  /** The result of this object, verified earlier: the service could not be asked, or its answer was refused. */
  | 'last_good'
  /** A result for this kernel, but of the object as it was before. */
  | 'earlier'
  | 'nothing'

/** Marks in the details of a failure that the result is there, but the kernel does not take it. */
export const LOAD_FAILURE = { stage: 'load' } as const

/** How an object stands. */
export interface ObjectStatus {
  readonly shown: Shown
  /** Why `shown` is not `current`, or why the kernel does not load it. */
  readonly failure: AppError | undefined
  /** Whether the failure is a fact about the object, not about the service. */
  readonly isFinding: boolean
}

export const UNSETTLED: ObjectStatus = { shown: 'nothing', failure: undefined, isFinding: false }

/** Whether a program can be started with what is there. */
export function isUsable (status: ObjectStatus): boolean {
  return (status.shown === 'current' || status.shown === 'last_good') && !status.isFinding && !isNotLoaded(status)
}

/** Whether the result is there, but was to be in the kernel too and is not. */
export function isNotLoaded ({ failure }: ObjectStatus): boolean { return failure?.details['stage'] === LOAD_FAILURE.stage }

/**
 * The variable of the setting that cannot be used, where that is the failure: it is then for every object, and no answer of a service
 * mends it.
 */
export function settingAtFault (failure: AppError | undefined): string | undefined {
  const setting = failure?.details['setting']
  return failure !== undefined && kindOf(failure) === undefined && typeof setting === 'string' ? setting : undefined
}
