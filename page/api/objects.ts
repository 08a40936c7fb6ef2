import { hexOf } from '../model/format.js'
import { Refusal } from './request.js'

/** An object that was dropped, or that a link names. */
export interface ChosenObject {
  readonly id: number
  /** Different from that of every other. */
  readonly name: string
  /** Undefined where only the hash is known. */
  readonly file: File | undefined
  /** Undefined until it was worked out, or the service has said it. */
  readonly sha256: string | undefined
}

let lastId = 0

/** An object that the service holds. */
export function heldObject ({ sha256, name }: { readonly sha256: string, readonly name: string }): ChosenObject {
  return { id: ++lastId, name, sha256, file: undefined }
}

export interface AddedFiles {
  readonly added: readonly ChosenObject[]
  /** By the id of an object of which only the hash was there: the file that it is. */
  readonly found: ReadonlyMap<number, File>
  /** What was left out, and why. */
  readonly problem: string | undefined
}

/** Files as objects with names of their own. What is no ELF file, and what is there already, is left out, which a sentence says. */
export async function addFiles (files: readonly File[], objects: readonly ChosenObject[]): Promise<AddedFiles> {
  const found = new Map<number, File>()
  const added: ChosenObject[] = []
  const problems: string[] = []
  const foreign: string[] = []
  const native: string[] = []
  for (const file of files) {
    const kind = await kindOf(file).catch(() => undefined)
    if (kind !== 'object') {
      if (kind === undefined) problems.push(`${file.name} cannot be read; choose files, not folders.`)
      else if (file.size === 0) problems.push(`${file.name} is empty.`)
      else (kind === 'native' ? native : foreign).push(file.name)
      continue
    }
    const sha256 = await hashOf(file)
    const there = [...objects, ...added]
    const same = sha256 === undefined ? await findSame(file, there) : there.find(object => object.sha256 === sha256)
    if (same !== undefined && same.file === undefined && !found.has(same.id)) {
      found.set(same.id, file)
      continue
    }
    if (same !== undefined) {
      problems.push(`${file.name} has the content of ${same.name}, which is there already.`)
      continue
    }
    let name = file.name
    for (let i = 2; there.some(object => object.name === name); i++) name = `${file.name} (${i})`
    added.push({ id: ++lastId, name, file, sha256 })
  }
  problems.push(...leftOut(foreign, 'is no ELF file', 'are no ELF files'),
    ...leftOut(native, 'is a program or library, no eBPF object', 'are programs or libraries, no eBPF objects'))
  return { added, found, problem: problems.length === 0 ? undefined : problems.join(' ') }
}

function leftOut (names: readonly string[], is: string, are: string): readonly string[] {
  if (names.length === 0) return []
  return [`${names.join(', ')} ${names.length === 1 ? is : are}; choose what clang made with -target bpf.`]
}

/** The hash by which the service knows content. Undefined where the browser has none to give: on pages without TLS. */
async function hashOf (file: Blob): Promise<string | undefined> {
  if (!isSecureContext) return undefined
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await file.arrayBuffer()))
  return `sha256:${hexOf(digest)}`
}

/** The object that has the bytes of a file, where no hash tells it. */
async function findSame (file: Blob, objects: readonly ChosenObject[]): Promise<ChosenObject | undefined> {
  const alike = objects.filter(object => object.file?.size === file.size)
  if (alike.length === 0) return undefined
  const bytes = new Uint8Array(await file.arrayBuffer())
  for (const object of alike) {
    const others = new Uint8Array(await object.file?.arrayBuffer() ?? [])
    if (others.length === bytes.length && others.every((byte, i) => byte === bytes[i])) return object
  }
  return undefined
}

/** How an object goes into a form: by its hash once the service holds it. */
export function appendObject (form: FormData, { file, name, sha256 }: ChosenObject, isHeld: boolean): void {
  if (file === undefined || (isHeld && sha256 !== undefined)) form.append('object', sha256 ?? '')
  else form.append('object', file, name)
}

/** Asks by hash first, and with the bytes where the service does not hold them: most of the time it holds what it was sent before. */
export async function withObjects (objects: readonly ChosenObject[], ask: (isHeld: boolean) => Promise<Response>): Promise<Response> {
  try {
    try {
      return await ask(true)
    } catch (error) {
      const hasFile = objects.some(({ file }) => file !== undefined)
      if (!isUnknown(error) || !hasFile) throw error
      return await ask(false)
    }
  } catch (error) {
    if (!isUnknown(error)) throw error
    const gone = objects.find(({ sha256 }) => sha256 === error.problem['object_sha256'])
    if (gone === undefined) throw error
    throw new Refusal(error.status, {
      ...error.problem, detail: `The service does not hold ${gone.name} any more. Choose its file under Objects, and check again.`
    })
  }
}

function isUnknown (error: unknown): error is Refusal { return error instanceof Refusal && error.code === 'object_unknown' }

const ELF_MAGIC = [0x7f, 0x45, 0x4c, 0x46]
/** Where e_ident[EI_DATA], e_type and e_machine are in a file's header, in bytes. @see https://gabi.xinuos.com/elf/02-eheader.html */
const HEADER = { data: 5, type: 16, machine: 18, SIZE: 20 }
const ELFDATA2MSB = 2
const ET_REL = 1
/** Old LLVM wrote none. */
const EM_NONE = 0
const EM_BPF = 247

/** What a file is by its first bytes: what else somebody drops is not sent. Whether an object is sound, the service says. */
async function kindOf (file: Blob): Promise<'object' | 'native' | 'foreign'> {
  const header = new DataView(await file.slice(0, HEADER.SIZE).arrayBuffer())
  if (header.byteLength < HEADER.SIZE || ELF_MAGIC.some((byte, i) => header.getUint8(i) !== byte)) return 'foreign'
  const littleEndian = header.getUint8(HEADER.data) !== ELFDATA2MSB
  const machine = header.getUint16(HEADER.machine, littleEndian)
  const isObject = header.getUint16(HEADER.type, littleEndian) === ET_REL && (machine === EM_BPF || machine === EM_NONE)
  return isObject ? 'object' : 'native'
}
