import { setImmediate } from 'node:timers/promises'
import { AppError } from '../errors.js'
import { compilePattern, isPattern } from '../identity/pattern.js'
import { isWholeReference, parseQuery, type KernelQuery, type KernelReference } from '../identity/reference.js'
import type { OfferedKernels } from './catalog/offered-kernels.js'
import type { KernelNames } from './kernel-index.js'
import { matchesName } from './matches.js'
import type { Pause } from '../workers/pauses.js'
import { recordsOfName, resolveKernel, type ResolvedKernel } from './resolve.js'

export interface MatchOptions {
  readonly index: KernelNames
  /** What sources list; undefined where only what is held counts. */
  readonly offered?: OfferedKernels | undefined
  /** How others get their turn. Undefined: with the next turn of the event loop. */
  readonly pause?: Pause | undefined
}

/** @throws AppError `invalid_request` for what is no pattern of kernels */
export function requirePattern (pattern: string): void {
  if (isPattern(pattern)) return
  throw new AppError('invalid_request',
    `${JSON.stringify(pattern.slice(0, 200))} is no pattern of kernels; write <distro>/<distro_version>/<arch>/<kernel_release> or a ` +
    'release (uname -r), with * for any text within a part, or * alone for every kernel that is held.',
    { field: 'kernels' })
}

/**
 * Tells which kernels a pattern means, in the order of their references; one may come twice. A lone `*` is every kernel that is held. Any
 * other pattern is also what sources list, and a whole reference is that kernel whether it is held or not. Others get their turn
 * between kernels, whether these match or not.
 *
 * @throws whatever the signal says
 */
export function createMatcher (options: MatchOptions, signal: AbortSignal): (pattern: string) => AsyncGenerator<KernelReference> {
  const turn = createTurns(signal, options.pause)
  let references: readonly KernelReference[] | undefined
  return pattern => {
    references ??= referencesOf(options.index)
    return matching(pattern, references, options, turn)
  }
}

function referencesOf (index: KernelNames): KernelReference[] {
  const references: KernelReference[] = []
  for (const { reference } of index.list()) {
    const last = references.at(-1)
    if (last === undefined || !isSameReference(reference, last)) references.push(reference)
  }
  return references
}

function isSameReference (a: KernelReference, b: KernelReference): boolean {
  return a.release === b.release && a.arch === b.arch && a.distroVersion === b.distroVersion && a.distro === b.distro
}

async function * matching (
  pattern: string,
  held: readonly KernelReference[],
  { index, offered }: MatchOptions,
  turn: Turn
): AsyncGenerator<KernelReference> {
  await turn()
  const isNamed = !pattern.includes('*')
  const fits = isNamed ? () => true : compilePattern(pattern)
  const references = isNamed ? named(parseQuery({ kernelRelease: pattern }), index, offered) : starred(pattern, held, offered)
  for (const { reference, isOffered } of references) {
    if (fits(reference) && !(isOffered && isFoundAsHeld(reference, index, fits))) yield reference
    const others = turn()
    if (others !== undefined) await others // a promise for each of all that are passed would take longer than to compare them
  }
}

/** A kernel that a pattern may mean, and whether it is a source that lists it. */
interface Possible {
  readonly reference: KernelReference
  readonly isOffered: boolean
}

/** Whether what a source lists is held under another spelling of its platform, which fits as well: it is one kernel. */
function isFoundAsHeld (reference: KernelReference, index: KernelNames, fits: (reference: KernelReference) => boolean): boolean {
  return index.byRelease(reference.release).some(record => matchesName(record.reference, reference) && fits(record.reference))
}

/** All that a pattern with stars may mean. */
function * starred (pattern: string, held: readonly KernelReference[], offered: OfferedKernels | undefined): Generator<Possible> {
  for (const reference of held) yield { reference, isOffered: false }
  if (pattern === '*') return
  for (const { reference } of offered?.list({}) ?? []) yield { reference, isOffered: true }
}

/** A whole reference is that kernel, by whatever spelling of its platform it is held. A release is every kernel that has it. */
function * named (query: KernelQuery, index: KernelNames, offered: OfferedKernels | undefined): Generator<Possible> {
  if (isWholeReference(query)) return yield { reference: query, isOffered: false }
  for (const { reference } of index.byRelease(query.release)) yield { reference, isOffered: false }
  for (const { reference } of offered?.byRelease(query.release) ?? []) yield { reference, isOffered: true }
}

/** What a name stands for; undefined where nothing that is held answers for it, and an error where it is not clear what does. */
export function findHeld (index: KernelNames, query: KernelQuery, trustUploads: boolean): ResolvedKernel | AppError | undefined {
  if (recordsOfName(index, query, trustUploads).length === 0) return undefined // the error lists what is near, which takes long
  try {
    return resolveKernel(index, query, { trustUploads })
  } catch (error) {
    if (!(error instanceof AppError) || error.code === 'internal_error') throw error
    return error
  }
}

/** Kernels that are compared and looked up before others get their turn. */
const SLICE = 32

/** Lets others have their turn now and then, and stops with the signal. */
type Turn = () => Promise<void> | undefined

function createTurns (signal: AbortSignal, pause: Pause = setImmediate): Turn {
  let count = 0
  return () => {
    signal.throwIfAborted()
    return ++count % SLICE === 0 ? pause() : undefined
  }
}
