import type { Btf } from '../btf/btf.js'
import { attachBtf, parseRawBtf } from '../btf/parse.js'
import { relocate } from '../core/index.js'
import { AppError, type ErrorCode } from '../errors.js'
import { isOfLayout } from '../layout/index.js'
import { buildOutcome, judgeRelocation, kernelSymbols, noteAsked } from '../report/index.js'
import { sha256, type Sha256 } from '../store/sha256.js'
import { attachShared } from './attached-btfs.js'
import { giveWay } from './give-way.js'
import { createLoadingOutcomes } from './loading-outcomes.js'
import { openPaged } from './paged-btf.js'
import { indexBtf, readIndexParts, readInto, type UselessIndex } from './prepare-btf.js'
import type { CheckedBtf, CheckedOutcome, CheckedRuns, CheckRun, CheckTask, FaultyRun, ReadyRuns } from './protocol.js'
import { parsedObjects } from './relocate-object.js'

/**
 * What becomes of objects on one kernel. BTF that is read for this is this thread's alone, and gone with the task: a check passes
 * over thousands of kernels, and what others ask for must stay in memory.
 *
 * @throws AppError `btf_invalid`
 */
export function checkObjects (task: CheckTask): CheckedRuns {
  const found = checkPaged(task)
  if (found !== undefined && 'outcomes' in found) return found
  return checkWhole(task, found)
}

/**
 * With no more of the BTF than the objects ask for. What cannot be had so is undefined, or why the index is of no use. The BTF of modules
 * refers to all of its base.
 */
function checkPaged ({ btf, modules, runs }: CheckTask): ReadyRuns | UselessIndex | undefined {
  if ('parts' in btf || modules.length > 0) return undefined
  const paged = openPaged(btf, MEMORY)
  if (paged === undefined || 'state' in paged) return paged
  try {
    const found = outcomesOn(paged.btf, [], runs)
    return paged.isDamaged() ? undefined : found
  } catch (error) {
    if (paged.isDamaged()) return undefined
    throw error
  } finally {
    paged.close()
  }
}

function checkWhole ({ btf, modules, runs }: CheckTask, index: UselessIndex | undefined): CheckedRuns {
  const base = open(btf, undefined, index)
  if (base === undefined) return { state: 'absent', sha256: btf.sha256 }
  const split: Btf[] = []
  for (const module of modules) {
    const opened = open(module, base.btf)
    if (opened === undefined) return { state: 'absent', sha256: module.sha256 }
    split.push(opened.btf)
  }
  return { ...outcomesOn(base.btf, split, runs), ...(base.index === undefined ? {} : { index: base.index }) }
}

type HasSymbol = (name: string) => boolean | undefined

function outcomesOn (base: Btf, split: readonly Btf[], runs: readonly CheckRun[]): ReadyRuns {
  giveWay()
  const hasKernelSymbol = kernelSymbols([base, ...split])
  return { state: 'ready', outcomes: runs.map(run => outcomesOrFault(run, base, split, hasKernelSymbol)) }
}

/** What keeps one object from being relocated for a kernel, such as another byte order, says nothing of the others. */
function outcomesOrFault (run: CheckRun, base: Btf, modules: readonly Btf[], hasKernelSymbol: HasSymbol): CheckedOutcome[] | FaultyRun {
  try {
    return outcomesOf(run, base, modules, hasKernelSymbol)
  } catch (error) {
    if (error instanceof AppError && FAULTS.has(error.code)) return { fault: error.message }
    throw error
  }
}

/** What `relocate` throws of an object, or of what it reads of a kernel. */
const FAULTS: ReadonlySet<ErrorCode> = new Set(['object_invalid', 'btf_invalid', 'relocation_failed'])

function outcomesOf (
  { object: bytes, objectSha256, releases }: CheckRun,
  base: Btf,
  modules: readonly Btf[],
  hasKernelSymbol: HasSymbol
): CheckedOutcome[] {
  const object = parsedObjects.get(objectSha256, bytes)
  const relocation = relocate(object, base, { modules })
  parsedObjects.hold(objectSha256, object)
  giveWay()
  const loading = loadingOutcomes.of(object, objectSha256, relocation)
  let ofAll: CheckedOutcome | undefined
  return releases.map(release => {
    if (ofAll !== undefined) return ofAll
    const known = loading?.get(release)
    const outcome = known === undefined ? judged(release) : { ...known, isOfLayout: isOfLayout(relocation, false) }
    if (!outcome.isOfRelease) ofAll = outcome
    return outcome
  })

  function judged (kernelRelease: string): CheckedOutcome {
    const symbols = noteAsked(hasKernelSymbol)
    const judgement = judgeRelocation(object, relocation, { kernelRelease, hasKernelSymbol: symbols.has })
    const { isOfRelease } = judgement
    const outcome = buildOutcome(object, relocation, judgement)
    const json = JSON.stringify(outcome)
    if (outcome.state === 'loads' && !symbols.wasAsked()) loading?.keep(kernelRelease, { json, isOfRelease })
    return { json, isOfLayout: isOfLayout(relocation, symbols.wasAsked()), isOfRelease }
  }
}

/** Characters of outcomes that each thread keeps. One has some thousand. */
const MAX_LOADING = 4 * 1024 * 1024
const loadingOutcomes = createLoadingOutcomes(MAX_LOADING)

/**
 * The BTF, validated and indexed. Undefined where none of its files has it.
 *
 * What is read of a kernel is in memory that the next kernel has: to be used before that is opened.
 */
export function openChecked (btf: CheckedBtf): Btf | undefined { return open(btf, undefined)?.btf }

interface Opened {
  readonly btf: Btf
  /** What is to be kept as its index, where there is none or one of no use: kernels come from other processes, which make none. */
  readonly index?: Uint8Array
}

/** @param index what is known of the index that is kept; it is read where that is nothing */
function open (btf: CheckedBtf, base: Btf | undefined, index?: UselessIndex): Opened | undefined {
  if ('parts' in btf) return { btf: attachShared(btf, base) }
  const bytes = readAny(btf.paths, btf.sha256, base === undefined ? kernelMemory : allocate)
  giveWay()
  if (bytes === undefined) return undefined
  const { path, sealKeys = [], isToBeMade = false } = (base === undefined ? btf.index : undefined) ?? {}
  const kept = path === undefined ? undefined : index ?? readIndexParts(bytes, btf.sha256, path, sealKeys, indexMemory)
  if (kept !== undefined && 'parts' in kept) return { btf: attachBtf(kept.parts, undefined) }
  // What keeps an index from being read shows where the kernel is loaded.
  const isMade = isToBeMade && kept !== undefined && kept.state !== 'unreadable'
  if (!isMade) return { btf: parseRawBtf(bytes, { base, isValidated: base === undefined }) }
  const { parts, isSealed } = indexBtf(bytes, btf.sha256, true, undefined, sealKeys)
  return { btf: attachBtf(parts, undefined), ...(isSealed ? { index: new Uint8Array(parts.index) } : {}) }
}

type Allocate = (byteLength: number) => Uint8Array

const allocate: Allocate = byteLength => new Uint8Array(byteLength)

/**
 * Memory that is given again and again: to have some megabytes anew for each kernel takes as long as to relocate. It is had at once, as
 * much as nearly all need: what nothing is read into costs nothing, and each piece that grew would have all garbage collected.
 */
function createMemory (bytes: number): Allocate {
  let kept: Uint8Array | undefined
  return byteLength => byteLength > bytes ? allocate(byteLength) : (kept ??= new Uint8Array(bytes)).subarray(0, byteLength)
}

/** The BTF of most kernels has 3 to 10 MB, and its index an eighth of that. */
const kernelMemory = createMemory(16 * 1024 * 1024)
const indexMemory = createMemory(2 * 1024 * 1024)
const MEMORY = { btf: kernelMemory, index: indexMemory }

/** The first of the files that has what the hash says. */
function readAny (paths: readonly string[], expected: Sha256, memory: Allocate): Uint8Array | undefined {
  for (const path of paths) {
    const bytes = readInto(memory, path, Infinity)
    giveWay()
    if (bytes instanceof Uint8Array && sha256(bytes) === expected) return bytes
  }
  return undefined
}
