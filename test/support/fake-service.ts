import { createSigner, type Signer } from '../../src/attestation/sign.js'
import { generateSigningKey, parseSigningKeys } from '../../src/attestation/signing-keys.js'
import { AppError } from '../../src/errors.js'
import { formatReference, type KernelReference } from '../../src/identity/reference.js'
import { sha256, type Sha256 } from '../../src/store/sha256.js'
import { ENGINE } from '../../src/relocation/engine.js'
import type { Deadline, RelocateAnswer, RelocateRequest } from '../../src/relocation/types.js'
import type { KernelEntry } from '../../src/kernels/types.js'
import type { ReportMembers } from '../../src/wire/report.js'
import type { Service } from '../../src/service/types.js'

export interface FakeService extends Service {
  readonly signer: Signer
  /** What relocate was asked, in order. */
  readonly requests: RelocateRequest[]
  /** How long each of them may take. */
  readonly deadlines: Deadline[]
  /** When set, relocate waits for it. */
  hold: Promise<void> | undefined
  /** When set, every relocation fails with it. */
  failure: unknown
  /** Overrides parts of every answer. */
  answer: Partial<RelocateAnswer>
  readonly objects: Map<Sha256, Uint8Array>
  readonly btfs: Map<Sha256, Uint8Array>
  readonly kernels: Map<string, KernelEntry>
  becomeReady: () => void
}

export const FAKE_BTF = Buffer.from('raw BTF of a kernel')
export const FAKE_KERNEL = 'ubuntu/20.04/x86_64/5.4.0-42-generic'

/**
 * A service that relocates nothing: the "patched" object is the object with its last byte inverted. For tests of what HTTP
 * makes of requests and answers.
 */
export function createFakeService ({ isReady = true } = {}): FakeService {
  let becomeReady = (): void => {}
  const ready = isReady ? Promise.resolve() : new Promise<void>(resolve => { becomeReady = resolve })
  const objects = new Map<Sha256, Uint8Array>()
  const btfs = new Map<Sha256, Uint8Array>([[sha256(FAKE_BTF), FAKE_BTF]])
  const kernels = new Map<string, KernelEntry>([
    [FAKE_KERNEL, entryOf({ distro: 'ubuntu', distroVersion: '20.04', arch: 'x86_64', release: '5.4.0-42-generic' }, FAKE_BTF)]
  ])
  const signer = createSigner(parseSigningKeys(generateSigningKey()))
  const fake: FakeService = {
    signer,
    requests: [],
    deadlines: [],
    hold: undefined,
    failure: undefined,
    answer: {},
    objects,
    btfs,
    kernels,
    becomeReady: () => { becomeReady() },
    findHeld: () => undefined,
    async relocate (request, deadline) {
      fake.requests.push(request)
      if (deadline !== undefined) fake.deadlines.push(deadline)
      await fake.hold
      if (fake.failure !== undefined) throw fake.failure
      const object = request.object ?? objects.get(request.objectSha256 as Sha256)
      if (object === undefined) throw new AppError('object_unknown', 'The service does not hold this object; send it, or PUT it first.')
      if (request.btfSha256 !== undefined && !btfs.has(request.btfSha256)) {
        throw new AppError('btf_unknown', 'The service does not hold this BTF.')
      }
      if (request.kernel?.release === 'ambiguous') {
        throw new AppError('kernel_ambiguous', 'Several kernels match.', { candidates: [FAKE_KERNEL] })
      }
      const bytes = patched(object)
      const facts = {
        objectSha256: sha256(object),
        btfSha256: request.btfSha256 ?? sha256(request.btf?.[0] ?? FAKE_BTF),
        moduleSha256s: request.moduleSha256s ?? (request.modules ?? []).map(name => sha256(name)),
        kernel: request.kernel === undefined ? null : request.kernel.release
      }
      return {
        bytes,
        byteLength: bytes.length,
        sha256: sha256(bytes),
        ...facts,
        attestation: Buffer.from(signer.sign({
          ...facts,
          resultSha256: sha256(bytes),
          engine: ENGINE,
          findings: { verdict: 'loads', assumes: [], counts: { resolved: 0, absent: 0, poisoned: 0 } }
        })).toString('base64'),
        source: request.btf === undefined ? 'local' : 'request',
        verdict: 'loads',
        assumes: [],
        isAlreadyRelocated: false,
        counts: { resolved: 12, absent: 3, poisoned: 0 },
        report: request.wantsReport ? REPORT : undefined,
        timing: { resolve: 0.1234567, fetch: 0, parse: 1.5, relocate: 2 },
        cached: false,
        ...fake.answer
      }
    },
    async check () { throw new Error('not of the fake') },
    async minimiseBtf () { return { bytes: FAKE_BTF, sha256: sha256(FAKE_BTF), btfSha256: sha256(FAKE_BTF), kernel: FAKE_KERNEL } },
    async inspect () { throw new Error('not for HTTP') },
    async putObject (bytes, expected) {
      if (sha256(bytes) !== expected) throw new AppError('invalid_request', 'The bytes have another hash.', { expected })
      const created = !objects.has(expected)
      objects.set(expected, bytes)
      return { created }
    },
    async hasObject (hash) { return objects.has(hash) },
    async listKernels ({ limit, cursor }) {
      const all = [...kernels.values()]
      const start = cursor === undefined ? 0 : Number(cursor)
      const page = all.slice(start, start + limit)
      return { kernels: page, nextCursor: start + limit < all.length ? String(start + limit) : null }
    },
    async getKernel (reference) { return getKernel(reference) },
    async getKernelBtf (reference, module) {
      const entry = getKernel(reference)
      const hash = module === undefined ? entry.btfSha256 : entry.modules.find(({ name }) => name === module)?.btfSha256
      const bytes = hash === undefined ? undefined : btfs.get(hash)
      if (hash === undefined || bytes === undefined) throw new AppError('btf_unknown', 'No BTF of this module.')
      return { bytes, sha256: hash, source: entry.source }
    },
    async writeObjectTypes () {
      const bytes = Buffer.from('[]')
      return { bytes, sha256: sha256(bytes) }
    },
    async writeTypes () {
      const bytes = Buffer.from('[]')
      return { bytes, sha256: sha256(bytes), btfSha256: sha256(FAKE_BTF), source: 'local' }
    },
    async searchTypes () {
      const bytes = Buffer.from('[]')
      return { bytes, sha256: sha256(bytes), btfSha256: sha256(FAKE_BTF), source: 'local', next: null }
    },
    async diffTypes () {
      const bytes = Buffer.from('[]')
      const kernel = { kernel: FAKE_KERNEL, btf_sha256: sha256(FAKE_BTF), source: 'local' }
      return { bytes, sha256: sha256(bytes), isSame: true, from: kernel, to: kernel }
    },
    typeHistory: async () => ({ type: 'pid_t', member: null, kernels: 0, ranges: [], left_out: [] }),
    async putKernelBtf (reference, bytes, provenance, module) {
      const name = formatReference(reference)
      const hash = sha256(bytes)
      btfs.set(hash, bytes)
      const held = kernels.get(name)
      if (module === undefined) {
        const isHeld = held?.btfSha256 === hash
        const entry = isHeld ? held : { ...entryOf(reference, bytes), source: 'upload', provenance }
        kernels.set(name, entry)
        return { created: !isHeld, entry, btfSha256: hash }
      }
      const kernel = getKernel(reference)
      const isHeld = kernel.modules.some(({ name }) => name === module)
      const entry = isHeld
        ? kernel
        : { ...kernel, modules: [...kernel.modules, { name: module, btfSha256: hash, bytes: bytes.length, source: 'upload' }] }
      kernels.set(name, entry)
      return { created: !isHeld, entry, btfSha256: hash }
    },
    async getBtf (hash) {
      const bytes = btfs.get(hash)
      if (bytes === undefined) throw new AppError('btf_unknown', 'The service does not hold this BTF.')
      return bytes
    },
    async hasBtf (hash) {
      const bytes = btfs.get(hash)
      return bytes === undefined ? undefined : { bytes: bytes.length }
    },
    publicKeys: async () => signer.jwks,
    stats: () => ({
      queued: 0,
      running: 0,
      memoryBytes: 0,
      memoryEntries: 0,
      diskBytes: 0,
      degraded: { disk: true, shared_store: false },
      workerRestarts: 0,
      checks: { running: 0, rows: 0, relocations: 0 },
      cache: { result_hits: 7 },
      sourceRequests: [{ source: 'btfhub', outcome: 'found', count: 3 }],
      sourceWaiters: 2,
      packages: undefined,
      fetchJobs: 0,
      watch: undefined
    }),
    refreshCatalog: async () => {},
    ready: async () => { await ready },
    close: async () => {}
  }
  return fake

  function getKernel (reference: KernelReference): KernelEntry {
    const entry = kernels.get(formatReference(reference))
    if (entry === undefined) throw new AppError('kernel_unknown', 'No BTF is known for this kernel.', { sources: [], nearest: [] })
    return entry
  }
}

/** What the fake makes of an object. */
function patched (object: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(object)
  const last = bytes.length - 1
  if (last >= 0) bytes[last] = ~(bytes[last] ?? 0)
  return bytes
}

function entryOf (reference: KernelReference, btf: Uint8Array): KernelEntry {
  return {
    reference,
    state: 'held',
    sources: ['local'],
    btfSha256: sha256(btf),
    bytes: btf.length,
    types: 1,
    source: 'local',
    provenance: { by: 'local', at: '2026-11-22T00:00:00.000Z', kernelVersion: '#46-Ubuntu SMP' },
    firstSeen: '2026-11-22T00:00:00.000Z',
    lastUsed: '2026-11-22T00:00:00.000Z',
    modules: []
  }
}

const MEMBERS: ReportMembers = {
  verdict: 'loads',
  assumes: [],
  loads_without_kernel_btf: false,
  counts: { resolved: 12, absent: 3, poisoned: 0 },
  programs: [{
    name: 'handle_exec',
    section: 'tp_btf/sched_process_exec',
    verdict: 'loads',
    verdict_reason: null,
    assumes: [],
    needs_kernel_btf: 'attaches by BTF (tp_btf)',
    relocations: 4
  }],
  relocations: [{
    kind: 'byte_off',
    type: 'struct task_struct',
    access: 'task_struct.state',
    access_spec: '0:15',
    status: 'poisoned',
    old: 16,
    new: null,
    reason: 'field_missing',
    detail: 'struct task_struct has no member state in this kernel. It has __state.',
    suggestions: [{ text: 'Read __state:', code: 'struct task_struct___new { unsigned int __state; };' }],
    places: [{
      program: 'handle_exec',
      section: 'tp_btf/sched_process_exec',
      instruction: 12,
      reachable: false,
      behind_poison: false,
      source: { file: 'exec.bpf.c', line: 41, text: '  state = BPF_CORE_READ(task, state);' }
    }],
    places_total: 1
  }],
  warnings: []
}

const REPORT: NonNullable<RelocateAnswer['report']> = {
  members: Buffer.from(JSON.stringify(MEMBERS).slice(1, -1)),
  byteOrder: 'little',
  changedInstructions: 7,
  failing: Buffer.from('[]'),
  failure: undefined,
  hasMorePlaces: false,
  missingTypes: []
}
