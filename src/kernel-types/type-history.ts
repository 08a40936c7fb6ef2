import { formatTypeName, type TypeName } from '../c-types/named-types.js'
import type { Places } from '../c-types/places.js'
import { AppError } from '../errors.js'
import { formatReference, type KernelReference } from '../identity/reference.js'
import type { KernelNames } from '../kernels/kernel-index.js'
import { createMatcher, findHeld, requirePattern } from '../kernels/matching-kernels.js'
import { recordsOfName } from '../kernels/resolve.js'
import { abortable } from '../store/abortable.js'
import type { Sha256 } from '../store/sha256.js'
import type { HistoryPlace, TypeHistoryJson } from '../wire/types.js'
import { createLeftOut, type LeftOutKernels } from './left-out.js'
import { HISTORY_LIMITS, type HistoryLimits } from './limits.js'
import { createPlaceReader, type PlaceReaderOptions, type WantedPlaces } from './place-reader.js'
import { toRanges, type PlacedKernel } from './ranges.js'

export interface HistoryRequest extends WantedPlaces {
  /** Patterns of kernels. */
  readonly kernels: readonly string[]
}

/** Tells where types and members were in the kernels that are held. */
export interface TypeHistories {
  /**
   * Of kernels whose BTF is not read in time, and of those whose name stands for several, the answer says that it does not speak.
   *
   * @throws AppError `invalid_request`, `too_large`, `overloaded`, `kernel_unknown` where the patterns mean no kernel that is held,
   *   `not_found` where none of them has the type, and whatever the signal says
   */
  find(request: HistoryRequest, signal: AbortSignal): Promise<TypeHistoryJson>
}

export interface TypeHistoriesOptions extends PlaceReaderOptions {
  readonly index: KernelNames
  readonly trustUploads: boolean
  readonly limits?: Partial<HistoryLimits> | undefined
}

interface HeldKernel {
  readonly reference: KernelReference
  readonly btf: Sha256
}

export function createTypeHistories ({ index, trustUploads, limits: given, ...options }: TypeHistoriesOptions): TypeHistories {
  const limits: HistoryLimits = { ...HISTORY_LIMITS, ...given }
  const reader = createPlaceReader(options)
  let running = 0

  /** What a name stands for, or why that is nothing. Undefined where nothing of the name is held. */
  const lookUp = (reference: KernelReference): HeldKernel | string | undefined => {
    const held = findHeld(index, reference, trustUploads)
    if (held instanceof AppError) return reasonOf(held)
    if (held !== undefined) return { reference, btf: held.btfSha256 }
    return recordsOfName(index, reference, true).length > 0 ? UPLOADED : undefined
  }

  const expand = async (patterns: readonly string[], leftOut: LeftOutKernels, signal: AbortSignal): Promise<readonly HeldKernel[]> => {
    const matching = createMatcher({ index }, signal)
    const found = new Map<string, HeldKernel | undefined>()
    for (const pattern of patterns) {
      let isMatched = false
      for await (const reference of matching(pattern)) {
        const name = formatReference(reference)
        if (!found.has(name)) {
          const held = lookUp(reference)
          if (held === undefined) continue
          if (typeof held === 'string') leftOut.add(held, name)
          found.set(name, typeof held === 'string' ? undefined : held)
          if (found.size > limits.kernels) throw tooMany(limits.kernels)
        }
        isMatched = true
      }
      if (!isMatched) leftOut.note(`No kernel that is held matches ${pattern}.`)
    }
    return [...found.values()].filter(kernel => kernel !== undefined)
  }

  const find = async ({ wanted, member, kernels: patterns }: HistoryRequest, signal: AbortSignal): Promise<TypeHistoryJson> => {
    const leftOut = createLeftOut()
    const kernels = await expand(patterns, leftOut, signal)
    const total = kernels.length + leftOut.kernels
    if (total === 0) throw noKernel(patterns)
    const counts = new Map<Sha256, number>()
    for (const { btf } of kernels) counts.set(btf, (counts.get(btf) ?? 0) + 1)
    const read = withoutOthers(await reader.read({ wanted, member }, counts, limits, signal))
    const placed: PlacedKernel[] = []
    for (const { reference, btf } of kernels) {
      const places = read.get(btf)
      if (places === undefined) leftOut.add(notRead(limits), formatReference(reference))
      else if (places instanceof AppError) leftOut.add(reasonOf(places), formatReference(reference))
      else placed.push({ reference, places })
    }
    if (leftOut.kernels === 0 && placed.every(({ places }) => places.state === 'type_missing')) throw noType(wanted, total)
    return { type: formatTypeName(wanted), member, kernels: total, ranges: toRanges(placed), left_out: leftOut.list() }
  }

  return {
    async find (request, signal) {
      const { kernels } = request
      if (kernels.length > limits.patterns) {
        throw new AppError('too_large', `The request has ${kernels.length} patterns of kernels; at most ${limits.patterns} are taken.`,
          { field: 'kernels', limit: limits.patterns })
      }
      kernels.forEach(requirePattern)
      if (running >= limits.atOnce) {
        throw new AppError('overloaded', `${running} histories are being made, which is the most at a time; try again in 2 s.`,
          { retry_after: 2, limit: limits.atOnce })
      }
      running++
      try {
        return await abortable(find(request, signal), signal)
      } finally {
        running--
      }
    }
  }
}

const UPLOADED = 'BTF was uploaded under this name, and uploads answer only for their hash here (CORELO_TRUST_UPLOADS).'

/** Sentences that name the kernel would each be a reason of their own. */
function reasonOf ({ code, message }: AppError): string {
  switch (code) {
    case 'kernel_ambiguous': return 'BTFs that differ are held for this name.'
    case 'btf_unknown': return 'The BTF is not held any more.'
    default: return message
  }
}

function notRead ({ reads, timeMs }: HistoryLimits): string {
  return `The BTF was not read: at most ${reads} are read for one answer, and none after ${timeMs / 1000} s. ` +
    'What was read is remembered; ask again, or for fewer kernels.'
}

/**
 * A member of the same name in an embedded struct may be another one: where some kernel has the member by its name, only one of the same
 * type counts as it.
 */
function withoutOthers (read: ReadonlyMap<Sha256, Places | AppError>): ReadonlyMap<Sha256, Places | AppError> {
  const known = new Map<Places, Places>()
  for (const places of read.values()) if (!(places instanceof AppError)) known.set(places, places)
  const types = new Set([...known.keys()].flatMap(({ places }) => places.filter(isSure).map(({ type }) => type)))
  if (types.size === 0) return read
  for (const all of known.keys()) {
    const places = all.places.filter(place => place.found !== 'moved' || types.has(place.type))
    if (places.length < all.places.length) known.set(all, { state: places.length === 0 ? 'missing' : 'present', places })
  }
  return new Map([...read].map(([btf, places]) => [btf, places instanceof AppError ? places : known.get(places) ?? places]))
}

function isSure ({ found }: HistoryPlace): boolean { return found === 'named' || found === 'renamed' }

function noKernel (patterns: readonly string[]): AppError {
  return new AppError('kernel_unknown', `No kernel that is held matches ${patterns.join(' or ')}.`,
    { kernel: patterns.join(), sources: [], nearest: [], candidates: [] })
}

function noType (wanted: TypeName, kernels: number): AppError {
  const type = formatTypeName(wanted)
  const sentence = kernels === 1 ? `The kernel has no ${type}.` : `None of the ${kernels} kernels has a ${type}.`
  const hint = wanted.kind === 'typedef' ? ` A name alone is that of a typedef; of a struct it is written struct ${wanted.name}.` : ''
  return new AppError('not_found', `${sentence}${hint}`, { type })
}

function tooMany (limit: number): AppError {
  return new AppError('too_large', `The patterns mean more than ${limit} kernels, which is the most for one history; narrow them.`,
    { field: 'kernels', limit })
}
