import { userInfo } from 'node:os'
import { basename, join } from 'node:path'
import { AppError } from '../../errors.js'
import type { BtfParts } from '../../btf/parse.js'
import { writeDurably } from '../../store/atomic-file.js'
import { openContentStore } from '../../store/content-store.js'
import { meantDistro } from '../../identity/distro-spelling.js'
import type { Evidence } from '../../identity/evidence.js'
import { extractBtf } from '../../import/extract.js'
import type { FoundResult } from '../../formats/found.js'
import { moduleOfFile } from '../../formats/kernel-files.js'
import { findRunningKernel, KERNEL_BTF_DIR } from '../../identity/running-kernel.js'
import { evidenceOfPath } from '../../identity/tree-path.js'
import { openKernelIndex } from '../../kernels/kernel-index.js'
import { formatReference, type KernelReference } from '../../identity/reference.js'
import type { Sha256 } from '../../store/sha256.js'
import { listImportFiles, readImportFile } from '../../import/import-files.js'
import { createKernelImport, type ImportReport, type KernelImport, type KernelSink } from '../../import/import-kernels.js'
import { createImportStore } from '../../import/import-store.js'
import { encodeDwarf } from '../../import/pahole.js'
import { makeBeside, type LackingBeside } from '../../workers/beside-btf.js'
import { parseArguments, usageError, type Arguments, type CommandSpec } from '../arguments.js'
import { notWritten } from '../files.js'
import { ExitCode } from '../exit-code.js'
import { createProgress, type Progress } from '../progress.js'
import { readSealKeys } from '../seal-keys.js'
import { requireServerFor, SERVER_OPTIONS } from '../target-options.js'
import { placesFrom, placesOf } from '../target.js'
import { say } from '../terminal.js'
import { importJson, printImport } from './import-report.js'

export const spec: CommandSpec = {
  name: 'btf import',
  operand: 'PATH',
  takesMany: true,
  summary: 'Takes the BTF of kernels and their modules out of files, whatever they are, ' +
    'and puts it into the local cache, where it answers for their names, or into a service.',
  options: {
    release: { value: 'REL', help: 'The kernel release (uname -r), where a file does not say it.' },
    arch: { value: 'ARCH', help: 'The architecture: x86_64, arm64 and so on.' },
    distro: { value: 'ID', help: 'The distribution, as ID in its os-release: ubuntu, debian, rhel.' },
    'distro-version': { value: 'VER', help: 'Its version, as VERSION_ID in its os-release.' },
    modules: { value: 'all|none|A,B', help: 'Which modules of a package to take as well. Default: all.' },
    replace: { help: 'Put BTF in the place of other BTF that is held for the same kernel. Without it that is refused.' },
    'cache-dir': { value: 'DIR', help: 'The cache to import into. Default: CORELO_CACHE_DIR, else btfhub-cache.' },
    server: { value: 'URL', help: 'Upload to this service instead.' },
    'token-file': SERVER_OPTIONS['token-file'],
    results: { value: 'DIR', help: 'Where the relocated objects of a bundle go, as DIR/<object>/<reference>.bpf.o.' },
    json: { help: 'Print what was imported as JSON on standard output.' },
    help: { short: 'h', help: 'Print this text.' }
  },
  notes: [
    'PATH is a file or a folder: raw BTF, an ELF file with .BTF (vmlinux, a module), a bootable image ' +
    '(vmlinuz: gzip, xz, zstd, lz4, bzip2, lzma, lzo; EFI zboot; Image of arm64; a unified kernel image; boot.img of Android), ' +
    'a kernel package (.deb, .rpm), a .btf.tar.xz of BTFHub or a whole tree of them, or a bundle of corelo btf export. ' +
    'What a file is, is told by its content. A vmlinux with DWARF and no BTF is encoded by pahole, where that is installed.',
    'Distribution, version, architecture and release are found in the file; where they are not, the options settle them for all files. ' +
    'Of /sys/kernel/btf/vmlinux the running kernel tells them. Nothing is guessed: what cannot be named is reported.',
    'Exit codes: 0 everything was imported or held already; 1 something was not; 2 wrong use; 3 nothing could be imported.'
  ]
}

export async function run (args: readonly string[]): Promise<ExitCode> {
  const options = parseArguments(spec, args)
  noteStrangeDistro(options.get('distro'))
  const progress = createProgress(process.stderr)
  const modules = modulesOf(options.get('modules'))
  const report = await withSink(options, async sink => {
    const saveResult = saverFor(options.get('results'))
    const kernelImport = createKernelImport({ sink, given: givenOf(options), modules, encodeDwarf, saveResult })
    return await importAll(options.operands, kernelImport, modules, progress)
  })
  progress.clear()
  if (options.has('json')) process.stdout.write(`${JSON.stringify(importJson(report), null, 2)}\n`)
  else printImport(report)
  if (report.notImported.length === 0) return ExitCode.OK
  return report.kernels.length === 0 && report.results.length === 0 ? ExitCode.CANNOT_TELL : ExitCode.FINDING
}

async function importAll (
  paths: readonly string[],
  kernelImport: KernelImport,
  modules: ReadonlySet<string> | undefined,
  progress: Progress
): Promise<ImportReport> {
  let passedOver = 0
  for await (const file of listImportFiles(paths)) {
    const module = moduleOfFile(file.path)
    if (module !== undefined && modules?.has(module) === false) continue // read, it could be found broken, which is of no interest
    progress.update(`reading ${file.path}`)
    try {
      const bytes = await readImportFile(file)
      if (bytes === undefined) {
        passedOver++
        continue
      }
      let found = 0
      for await (const find of extractBtf(bytes, file.path, {
        evidence: file.path === RUNNING_BTF ? await evidenceOfRunning() : evidenceOfPath(file.path, file.depth),
        want: { kernel: true, modules: modules ?? 'all' }
      })) {
        await kernelImport.add(find)
        progress.update(`${basename(file.path)}: ${++found} read`)
        if (found % BREATH === 0) await new Promise(setImmediate)
      }
    } catch (error) {
      if (!(error instanceof AppError) || error.code === 'internal_error') throw error
      await kernelImport.add({ kind: 'unread', place: file.path, reason: error.message })
    }
    await kernelImport.endOfFile()
  }
  progress.clear()
  if (passedOver > 0) say(`${passedOver} other ${passedOver === 1 ? 'file was' : 'files were'} passed over.`)
  return await kernelImport.finish()
}

/** The running kernel shows it, which says the rest by uname; the host's os-release says whose kernel it is. */
const RUNNING_BTF = join(KERNEL_BTF_DIR, 'vmlinux')

async function evidenceOfRunning (): Promise<Evidence> {
  const running = await findRunningKernel(placesFrom(process.env))
  if (running === undefined) return {}
  const { reference, release, arch, kernelVersion, buildId } = running
  return { release, arch, kernelVersion, buildId, ...reference }
}

/** Files read between two looks at what else there is to do: writes to finish, a signal to obey. */
const BREATH = 16

async function withSink<T> (options: Arguments, work: (sink: KernelSink) => Promise<T>): Promise<T> {
  requireServerFor(spec, options, ['token-file'])
  const server = options.get('server')
  if (server === undefined) {
    return await withCache(placesOf(options).cacheDir, options.has('replace'), work)
  }
  if (options.has('cache-dir') || options.has('replace')) {
    throw usageError(spec,
      'With --server, leave --cache-dir and --replace out: the service has its own cache, and replaces nothing.')
  }
  const { createImportUpload } = await import('./import-upload.js')
  const onUpload = (reference: KernelReference, btfSha256: Sha256): void => {
    say(`note: ${formatReference(reference)} is an upload there. ` +
      'Unless the service trusts uploads (CORELO_TRUST_UPLOADS=true), its name does not answer; ' +
      `name it with btf_sha256=${btfSha256}, or import it on the service's own cache.`)
  }
  return await work(createImportUpload({ server, tokenFile: options.get('token-file'), onUpload }))
}

async function withCache<T> (directory: string, replaces: boolean, work: (sink: KernelSink) => Promise<T>): Promise<T> {
  const warn = (message: string, facts: Record<string, unknown>): void => say(`warning: ${message} ${JSON.stringify(facts)}`)
  const index = await openKernelIndex({ directory, onWarning: warn })
  const store = openContentStore({ directory, onWarning: warn })
  const sealKeys = await readSealKeys(directory)
  const makeBesideBtf = (hash: Sha256, parts: BtfParts): LackingBeside =>
    makeBeside(hash, parts, { indexPath: store.pathOf('index', hash), layoutPath: store.pathOf('layout', hash), sealKeys })
  try {
    return await work(createImportStore({
      index, store, by: `${userInfo().username} (corelo btf import)`, replaces, makeBeside: makeBesideBtf
    }))
  } finally {
    await index.close()
    await store.close()
  }
}

function givenOf (options: Arguments): Evidence {
  return {
    release: options.get('release'),
    arch: options.get('arch'),
    distro: options.get('distro'),
    distroVersion: options.get('distro-version')
  }
}

/** It is taken all the same: an archive of one's own may have names of its own. */
function noteStrangeDistro (distro: string | undefined): void {
  const meant = distro === undefined ? undefined : meantDistro(distro)
  if (meant === undefined) return
  say(`note: no node asks for kernels of ${distro}: nodes name them by the ID in their os-release. Did you mean --distro ${meant}?`)
}

function saverFor (directory: string | undefined): ((result: FoundResult) => Promise<string>) | undefined {
  if (directory === undefined) return undefined
  return async ({ object, reference, bytes }) => {
    const path = join(directory, object, `${formatReference(reference)}.bpf.o`) // its parts are safe as names
    await writeDurably(path, bytes).catch((error: unknown) => { throw notWritten(path, error) })
    return path
  }
}

function modulesOf (text: string | undefined): ReadonlySet<string> | undefined {
  if (text === undefined || text === 'all') return undefined
  return new Set(text === 'none' ? [] : text.split(',').filter(name => name !== '').map(name => name.replaceAll('-', '_')))
}
