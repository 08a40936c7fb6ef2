import type { Inspection } from '../core/inspect.js'
import type { OutcomeCounts, Warning } from '../core/outcome.js'
import type { Patches } from '../core/patches.js'
import type { ByteOrder } from '../bytes/byte-order.js'
import type { TypeName } from '../c-types/named-types.js'
import type { Places } from '../c-types/places.js'
import type { TypeKey, TypeSearch } from '../c-types/search.js'
import type { NamedTypes, WantedTypes } from '../c-types/type-definition.js'
import type { FailingSummary } from '../report/report.js'
import type { Verdict } from '../wire/report.js'
import type { AssumedValue } from '../verdict/index.js'
import { AppError, type ErrorJson } from '../errors.js'
import type { SharedBtf } from '../store/btf-memory.js'
import type { Unread } from '../store/read-failure.js'
import type { SealKeys } from '../store/seal.js'
import type { Sha256 } from '../store/sha256.js'
import type { OthersWork } from './others-work.js'

/** Messages between the event loop and a worker: plain data only, since errors and class instances lose themselves on the way. */
export type Task =
  | WarmTask | PrepareBtfTask | OpenKernelTask | ReadTask | RelocateTask | InspectTask | MinimiseTask | WriteTypesTask | CheckTask
  | LayoutVectorsTask | LayoutVectorTask | DiffTypesTask | SearchTypesTask | TypeDigestsTask | FindPlacesTask
  | WriteObjectTypesTask | ProveResultTask

/** A task as a thread is given it. `others`: what threads do that do not give way, for one that does. */
export type GivenTask = Task & { readonly others?: OthersWork | undefined }

/** Does nothing, which a worker can only do once it has started. */
export interface WarmTask {
  readonly kind: 'warm'
}

/** Reads, verifies, validates and indexes BTF, into shared memory. */
export interface PrepareBtfTask {
  readonly kind: 'prepareBtf'
  /** A file, or bytes in shared memory, where raw BTF stays. Raw BTF, or any file that the opener reads. */
  readonly source: { readonly path: string } | { readonly bytes: Uint8Array }
  /** What the source must hash to; undefined for bytes that only now get their name. */
  readonly expected?: Sha256
  /** The vmlinux BTF that a module's BTF extends. */
  readonly base?: SharedBtf
  /** Most bytes the source may have. */
  readonly maxBytes: number
  /** With which the index is sealed, so that it can be kept. Without any it is not. */
  readonly sealKeys?: SealKeys
  /** Where the index of what is expected may be, made and sealed before. */
  readonly indexPath?: string
}

export type PreparedBtf =
  | {
    readonly state: 'ready'
    readonly btf: SharedBtf
    /** What became of the index file, where one was looked for. `outdated`: of another version. */
    readonly indexFile?: { readonly state: 'ready' | 'outdated' } | Unread
  }
  | Unread

/** Makes shared BTF of a kernel's file as sources and operators have it: any that the opener reads. */
export interface OpenKernelTask {
  readonly kind: 'openKernel'
  /** A file, or bytes in shared memory. */
  readonly source: { readonly path: string } | { readonly bytes: Uint8Array }
  /** Releases that an archive's own names may say. */
  readonly releases: readonly string[]
  /** Whether nothing but a .tar.xz will do. */
  readonly isArchive: boolean
  /** What the raw BTF must hash to. */
  readonly expected?: Sha256
  /** The vmlinux BTF that a module's BTF extends. */
  readonly base?: SharedBtf
  /** Most bytes of the source, and of what it unfolds to. */
  readonly maxBytes: number
  /** As PrepareBtfTask has it. */
  readonly sealKeys?: SealKeys
}

export type OpenedBtfs =
  | { readonly state: 'absent' }
  | {
    readonly state: 'ready'
    readonly btf: SharedBtf
    readonly modules: ReadonlyArray<{ readonly name: string, readonly btf: SharedBtf }>
    /** Modules whose BTF cannot be used, each with the reason; by the place in the file where not even the name could be read. */
    readonly skipped: ReadonlyArray<{ readonly name: string, readonly reason: string }>
  }

/** Reads a file and verifies it, where its bytes are all that is wanted. */
export interface ReadTask {
  readonly kind: 'read'
  readonly path: string
  readonly expected: Sha256
}

/** The bytes, moved, or why there are none. */
export type ReadFile = { readonly state: 'ready', readonly bytes: Uint8Array } | Unread

/** Relocates one object for one kernel. */
export interface RelocateTask {
  readonly kind: 'relocate'
  /** In shared memory. */
  readonly object: Uint8Array
  /** By which a worker knows an object that it has parsed already. */
  readonly objectSha256: Sha256
  readonly btf: SharedBtf
  readonly modules: readonly SharedBtf[]
  /**
   * When to explain the outcome, which costs about as much as the relocation: `failing` where the verdict is not `loads`. A failed
   * relocation always is explained.
   */
  readonly report: 'never' | 'failing' | 'always'
  /** Whether the report lists every place. */
  readonly places?: 'some' | 'all'
  /** Of the kernel, for the verdict; undefined where only content is named. */
  readonly kernelRelease?: string | undefined
  /** Values that user space will set, by name, for the verdict. */
  readonly assume?: ReadonlyMap<string, AssumedValue> | undefined
  /** Modules of the kernel that the object is not relocated with: the report names those that have a type which the kernel lacks. */
  readonly otherModules?: readonly OtherModule[]
  /** Where the layout table of the kernel is or would be, so that the result can be known for kernels that are laid out alike. */
  readonly layoutPath?: string
}

export interface OtherModule {
  readonly name: string
  readonly btf: SharedBtf
}

export interface RelocatedObject {
  /** What to change in the object. */
  readonly patches: Patches
  /** Of the patched object. */
  readonly sha256: Sha256
  readonly counts: OutcomeCounts
  readonly verdict: Verdict
  /** What the verdict rests on and user space may set otherwise. */
  readonly assumes: readonly string[]
  /** Whether another release of the same BTF, or other assumptions, could change the verdict. */
  readonly isJudged: boolean
  /** The object came relocated, and is passed through: it is for another kernel, for all that is known. */
  readonly isAlreadyRelocated: boolean
  readonly report: MadeReport | undefined
  /** Of the kernel, where every kernel with this layout vector has the same result, verdicts of other releases apart. */
  readonly layoutVector?: string
  /** Milliseconds. */
  readonly parseMs: number
  readonly relocateMs: number
}

/** Tells whether a result is one of the object: whether its patches make of it what has the result's digest. */
export interface ProveResultTask {
  readonly kind: 'proveResult'
  /** In shared memory. */
  readonly object: Uint8Array
  readonly result: Pick<RelocatedObject, 'patches' | 'sha256'>
}

/** A report as bytes, made in the worker so that the event loop only sends it. */
export interface MadeReport {
  /** Members of the report as JSON, without braces. */
  readonly members: Uint8Array
  readonly byteOrder: ByteOrder
  readonly changedInstructions: number
  /** The relocations that keep a program from loading, or may, as a JSON list. */
  readonly failing: Uint8Array
  readonly failure: FailingSummary | undefined
  /** Whether `places: 'all'` would say more. */
  readonly hasMorePlaces: boolean
  /** Types that neither the kernel nor a module that was asked with has, as the report writes them. */
  readonly missingTypes: readonly string[]
}

/** Parses an object, so that only what can be read is kept, and tells what is in it where that is asked for. */
export interface InspectTask {
  readonly kind: 'inspect'
  /** In shared memory. */
  readonly object: Uint8Array
  readonly wantsInspection: boolean
}

export interface InspectedObject {
  readonly sha256: Sha256
  readonly inspection: Inspection | undefined
  /** Where there is nothing to relocate. */
  readonly warning: Warning | undefined
}

/** Says of objects what becomes of them on one kernel: relocates each, and judges it for each release that the BTF stands for. */
export interface CheckTask {
  readonly kind: 'check'
  readonly btf: CheckedBtf
  /** Of modules, in the order in which they are consulted. */
  readonly modules: readonly CheckedBtf[]
  readonly runs: readonly CheckRun[]
}

/** BTF that is in shared memory already, or the files that may hold it: these are read by the worker, and nothing of them is kept. */
export type CheckedBtf = SharedBtf | FiledBtf

export interface FiledBtf {
  readonly paths: readonly string[]
  readonly sha256: Sha256
  /** Where an index of a kernel's BTF may be, and with what it is sealed: as PrepareBtfTask has it. */
  readonly index?: {
    readonly path: string
    readonly sealKeys: SealKeys
    /** Whether one that is missing or of no use is made, to be kept. */
    readonly isToBeMade: boolean
  }
}

export interface CheckRun {
  /** In shared memory. */
  readonly object: Uint8Array
  readonly objectSha256: Sha256
  /** Of kernels, for the verdict. */
  readonly releases: readonly string[]
}

export interface CheckedOutcome {
  readonly json: string
  /** Whether every kernel that lays out the object's types alike, and whose verifier judges alike, has this outcome. */
  readonly isOfLayout: boolean
  /** Whether it may be another one for another release. */
  readonly isOfRelease: boolean
}

/** A run whose object cannot be relocated for the kernel at all, and why. */
export interface FaultyRun {
  readonly fault: string
}

export interface ReadyRuns {
  readonly state: 'ready'
  /** An outcome for each release of each run. */
  readonly outcomes: ReadonlyArray<readonly CheckedOutcome[] | FaultyRun>
  /** To be kept as the index of the kernel's BTF, in shared memory. */
  readonly index?: Uint8Array
}

export type CheckedRuns =
  | ReadyRuns
  /** None of the files has this BTF. */
  | { readonly state: 'absent', readonly sha256: Sha256 }

/** Compares kernels for objects by their layout tables. Of no objects, it makes the tables that are missing or damaged. */
export interface LayoutVectorsTask {
  readonly kind: 'layoutVectors'
  /** In shared memory. */
  readonly objects: ReadonlyArray<{ readonly object: Uint8Array, readonly objectSha256: Sha256 }>
  readonly sources: readonly LayoutSource[]
}

export interface LayoutSource {
  /** Of the BTF. */
  readonly sha256: Sha256
  /** Where the table is, or would be. */
  readonly path: string
  /** The BTF, where the table is to be made if it cannot be read. */
  readonly btf?: CheckedBtf
}

/** In the place of a vector: the source has no table; it has one, by which it cannot be compared for the object. */
export const NO_TABLE = -1
export const NOT_COMPARABLE = -2

export interface LayoutVectors {
  /** How many of the sources were come to: others are to be asked for again. */
  readonly read: number
  /** Each once. */
  readonly vectors: readonly string[]
  /** Place of the vector for each object, of one source after the other: or why there is none. */
  readonly places: Int32Array
  /** Tables that were made, moved: they are not in their files yet. */
  readonly made: ReadonlyArray<{ readonly source: number, readonly bytes: Uint8Array }>
}

/** The same of one kernel by its file. Null where it has no table yet, or cannot be compared. */
export interface LayoutVectorTask {
  readonly kind: 'layoutVector'
  /** In shared memory. */
  readonly object: Uint8Array
  readonly objectSha256: Sha256
  readonly btf: Sha256
  readonly path: string
}

/** Makes the smallest BTF with which objects relocate as with the kernel's. */
export interface MinimiseTask {
  readonly kind: 'minimise'
  /** In shared memory, with the hashes by which a worker knows objects that it has parsed already. */
  readonly objects: ReadonlyArray<{ readonly bytes: Uint8Array, readonly sha256: Sha256 }>
  readonly btf: SharedBtf
  readonly modules: readonly SharedBtf[]
}

/** Raw BTF, moved, with its hash. */
export interface MinimisedBtf {
  readonly bytes: Uint8Array
  readonly sha256: Sha256
}

/** Writes types of a kernel: all of them as a C header, or those of one name as C or as JSON. */
export interface WriteTypesTask {
  readonly kind: 'writeTypes'
  readonly btf: SharedBtf
  readonly wanted: WantedTypes
}

/** Writes types that a program was compiled with: those of one name, as WriteTypesTask does. */
export interface WriteObjectTypesTask {
  readonly kind: 'writeObjectTypes'
  /** In shared memory. */
  readonly object: Uint8Array
  readonly objectSha256: Sha256
  readonly wanted: NamedTypes
}

/** Compares the types of one name between two kernels. */
export interface DiffTypesTask {
  readonly kind: 'diffTypes'
  readonly from: SharedBtf
  readonly to: SharedBtf
  readonly wanted: TypeName
}

/** Finds types of a kernel by their names and members. */
export interface SearchTypesTask {
  readonly kind: 'searchTypes'
  readonly btf: SharedBtf
  readonly search: TypeSearch
}

/** Tells kernels apart by how they lay out the types of one name. */
export interface TypeDigestsTask {
  readonly kind: 'typeDigests'
  readonly name: string
  readonly sources: ReadonlyArray<Pick<LayoutSource, 'sha256' | 'path'>>
}

/** Finds where a type, or a member of it, is in one kernel. */
export interface FindPlacesTask {
  readonly kind: 'findPlaces'
  readonly btf: CheckedBtf
  readonly wanted: TypeName
  /** Null for the type itself. */
  readonly member: string | null
}

export type FoundPlaces = { readonly state: 'ready', readonly places: Places } | { readonly state: 'absent' }

/** UTF-8 text, moved, with its hash. JSON is a list of TypeDefinition, TypeDifference or FoundType. */
export interface WrittenTypes {
  readonly bytes: Uint8Array
  readonly sha256: Sha256
}

export interface WrittenDifferences extends WrittenTypes {
  /** Whether both kernels have the same types. */
  readonly isSame: boolean
}

export interface WrittenSearch extends WrittenTypes {
  /** After which to go on; null where there are no more. */
  readonly next: TypeKey | null
}

/** What a task of each kind answers. */
export interface TaskValues {
  readonly warm: null
  readonly prepareBtf: PreparedBtf
  readonly openKernel: OpenedBtfs
  readonly read: ReadFile
  readonly relocate: RelocatedObject
  readonly proveResult: boolean
  readonly inspect: InspectedObject
  readonly check: CheckedRuns
  readonly layoutVectors: LayoutVectors
  readonly layoutVector: string | null
  readonly minimise: MinimisedBtf
  readonly writeTypes: WrittenTypes
  readonly writeObjectTypes: WrittenTypes
  readonly diffTypes: WrittenDifferences
  readonly searchTypes: WrittenSearch
  /** A text for each source: empty where the kernel has no type of the name, null where it cannot be compared or has no table. */
  readonly typeDigests: ReadonlyArray<string | null>
  readonly findPlaces: FoundPlaces
}

export type TaskValue<T extends Task> = TaskValues[T['kind']]

/** How a value or an error comes back. `stack` is for the log only, where the error is a defect of ours. */
export type TaskAnswer<V> =
  | { readonly ok: true, readonly value: V }
  | { readonly ok: false, readonly error: ErrorJson, readonly stack?: string }

const STOPPED: ReadonlySet<string> = new Set(['deadline_exceeded', 'internal_error'])

/** Whether an error of a task says that its worker was killed, died, or failed over the input: which may be the fault of one of several. */
export function hasEndedWorker (error: unknown): error is AppError { return error instanceof AppError && STOPPED.has(error.code) }

/** What workers are started with. */
export interface WorkerSetup {
  /** Name of the BroadcastChannel over which the event loop asks for a garbage collection. */
  readonly channel: string
  /** Whether the thread gives way to all others of the machine. */
  readonly givesWay: boolean
}
