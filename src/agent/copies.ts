import { readdir, readFile, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { writeDurably } from '../store/atomic-file.js'
import { errorCode } from '../store/error-code.js'
import { hexOf, isSha256, sha256, type Sha256 } from '../store/sha256.js'
import type { NodeKernel } from './node.js'

/** What is known of a copy. */
export interface CopyRecord {
  /** The object that it was made from. */
  readonly objectSha256: Sha256
  readonly resultSha256: Sha256
  /** The BTF that it was made for. */
  readonly btfSha256: Sha256
  /** Reference of the kernel that it was asked for. */
  readonly kernel: string
  /** Types that the object asks for and that kernel's vmlinux lacks. Undefined: not looked for. */
  readonly lacking?: readonly string[] | undefined
  /** Modules whose BTF was consulted, in the kernel's order. Undefined: none. */
  readonly modules?: ReadonlyArray<{ readonly name: string, readonly sha256: Sha256 }> | undefined
  /** The service's entity tag, to ask whether there is another by now. */
  readonly tag: string | undefined
  /** When it came, RFC 3339. */
  readonly at: string
}

export interface Copy {
  readonly record: CopyRecord
  readonly bytes: Uint8Array
  readonly report: string
  /** The envelope that came with it. Undefined where nobody asked for one. */
  readonly attestation: string | undefined
}

/**
 * The verified results that this node has, each under the kernel that it is for.
 *
 *     OUT/exec.bpf.o, exec.report.json              for programs to take: always for the kernel that runs
 *     OUT/.corelo/<kernel>/exec.json                the last good copy for that kernel: which result it is, and its attestation
 *     OUT/.corelo/<kernel>/exec@<result>.bpf.o      the result, and beside it the report; there is a second one only while it is replaced
 *
 * A node that goes back to the kernel before finds its copies again. Of kernels that did not run for long, none are kept.
 */
export interface Copies {
  /** The last good copy for a kernel, its bytes checked; undefined where there is none, or it is damaged. */
  find(kernel: NodeKernel, name: string): Promise<Copy | undefined>
  /** Keeps a copy for a kernel and puts it where programs take it. */
  keep(kernel: NodeKernel, name: string, copy: Copy): Promise<void>
  /** Puts a kept copy where programs take it; does nothing where it is there. */
  publish(name: string, copy: Copy): Promise<void>
  /** Takes away what programs would take for `name`. Gives whether there was something. */
  withdraw(name: string): Promise<boolean>
  /** Takes away everything that is not a copy for this kernel, and the copies of kernels that ran long ago. Gives the names. */
  withdrawOthers(kernel: NodeKernel, names: readonly string[]): Promise<string[]>
  pathOf(name: string): string
}

const STATE_FOLDER = '.corelo'
/** The running kernel, the one to fall back to, and one more. */
const KERNELS_KEPT = 3
const OBJECT = '.bpf.o'
const REPORT = '.report.json'
const RECORD = '.json'
/** Between a name and a hash: no name has it. */
const MARK = '@'

export function createCopies (folder: string): Copies {
  const state = join(folder, STATE_FOLDER)
  const recordOf = (key: string, name: string): string => join(state, key, `${name}${RECORD}`)
  const kept = (key: string, name: string, result: Sha256, ending: string): string =>
    join(state, key, `${name}${MARK}${hexOf(result)}${ending}`)
  const shown = (name: string, ending: string): string => join(folder, `${name}${ending}`)

  const find = async (key: string, name: string): Promise<Copy | undefined> => {
    const held = parseRecord(await readText(recordOf(key, name)))
    if (held === undefined) return undefined
    const { attestation, ...record } = held
    const bytes = await readFile(kept(key, name, record.resultSha256, OBJECT)).catch(() => undefined)
    const report = await readText(kept(key, name, record.resultSha256, REPORT))
    if (bytes === undefined || report === undefined || sha256(bytes) !== record.resultSha256) return undefined
    return { record, bytes, report, attestation }
  }

  const publish = async (name: string, copy: Copy): Promise<void> => {
    const there = await readFile(shown(name, OBJECT)).catch(() => undefined)
    const isThere = there !== undefined && sha256(there) === copy.record.resultSha256
    if (await readText(shown(name, REPORT)) !== copy.report) await writeDurably(shown(name, REPORT), copy.report)
    if (!isThere) await writeDurably(shown(name, OBJECT), copy.bytes)
  }

  const withdraw = async (name: string): Promise<boolean> => {
    const was = await stat(shown(name, OBJECT)).then(() => true, () => false)
    await rm(shown(name, OBJECT), { force: true })
    await rm(shown(name, REPORT), { force: true })
    return was
  }

  /** Folders of kernels, the one that was used last first. */
  const kernelFolders = async (): Promise<string[]> => {
    const entries = (await namesIn(state)).filter(entry => /^[0-9a-f]{64}$/.test(entry))
    const ages = await Promise.all(entries.map(async entry => ({
      entry,
      at: await stat(join(state, entry)).then(({ mtimeMs }) => mtimeMs, () => 0)
    })))
    return ages.sort((a, b) => b.at - a.at).map(({ entry }) => entry)
  }

  return {
    find: async (kernel, name) => await find(kernel.key, name),
    async keep (kernel, name, copy) {
      const { resultSha256: result } = copy.record
      // The record comes last: it is what makes the other two count. Whatever happens before, the copy of before still does.
      await writeDurably(kept(kernel.key, name, result, REPORT), copy.report)
      await writeDurably(kept(kernel.key, name, result, OBJECT), copy.bytes)
      await writeDurably(recordOf(kernel.key, name), `${JSON.stringify({ ...copy.record, attestation: copy.attestation }, null, 2)}\n`)
      await publish(name, copy)
      const isOther = (file: string): boolean => file.startsWith(`${name}${MARK}`) && !file.startsWith(`${name}${MARK}${hexOf(result)}`)
      const others = (await namesIn(join(state, kernel.key))).filter(isOther)
      for (const file of others) await rm(join(state, kernel.key, file), { force: true })
    },
    publish,
    withdraw,
    async withdrawOthers (kernel, names) {
      await utimes(join(state, kernel.key), new Date(), new Date()).catch(() => {}) // where there is none yet
      const folders = await kernelFolders()
      const known = new Set(names)
      for (const key of folders) {
        for (const file of await namesIn(join(state, key))) {
          if (file.endsWith(RECORD) && !file.includes(MARK)) known.add(file.slice(0, -RECORD.length))
        }
      }
      const withdrawn: string[] = []
      for (const name of known) {
        const there = await readFile(shown(name, OBJECT)).catch(() => undefined)
        if (there === undefined) continue
        const record = parseRecord(await readText(recordOf(kernel.key, name)))
        if (record?.resultSha256 === sha256(there)) continue
        await withdraw(name)
        withdrawn.push(name)
      }
      const tooMany = folders.filter(key => key !== kernel.key).slice(KERNELS_KEPT - 1)
      for (const key of tooMany) await rm(join(state, key), { recursive: true, force: true })
      return withdrawn
    },
    pathOf: name => shown(name, OBJECT)
  }
}

async function namesIn (folder: string): Promise<string[]> {
  return await readdir(folder).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return []
    throw error
  })
}

async function readText (path: string): Promise<string | undefined> { return await readFile(path, 'utf8').catch(() => undefined) }

type HeldRecord = CopyRecord & Pick<Copy, 'attestation'>

function parseRecord (text: string | undefined): HeldRecord | undefined {
  if (text === undefined) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return isRecord(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isRecord (value: unknown): value is HeldRecord {
  if (typeof value !== 'object' || value === null) return false
  const { objectSha256, resultSha256, btfSha256, kernel, tag, at, attestation, lacking, modules } = value as Record<string, unknown>
  return [objectSha256, resultSha256, btfSha256].every(hash => typeof hash === 'string' && isSha256(hash)) &&
    typeof kernel === 'string' && typeof at === 'string' &&
    [tag, attestation].every(text => text === undefined || typeof text === 'string') &&
    (lacking === undefined || (Array.isArray(lacking) && lacking.every(type => typeof type === 'string'))) &&
    (modules === undefined || (Array.isArray(modules) && modules.every(isModule)))
}

function isModule (value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { name, sha256: hash } = value as Record<string, unknown>
  return typeof name === 'string' && typeof hash === 'string' && isSha256(hash)
}
