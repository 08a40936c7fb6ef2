import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, it } from 'vitest'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Where test/lab/prepare.sh puts what it makes. */
export const LAB = process.env['CORELO_LAB_DIR'] ?? join(ROOT, '.lab')

/** The oracle may be built over another libbpf than the distribution's, to compare with that one. */
const ORACLE = process.env['CORELO_ORACLE'] ?? join(LAB, 'bin/oracle')

/** Debian's package, from test/lab/packages.txt. */
export const CHROMIUM = '/usr/bin/chromium'

export const EFI_STUB = '/usr/lib/systemd/boot/efi/linuxx64.efi.stub'

export const ATTACH = join(LAB, 'bin/attach')
export const VERIFY = join(LAB, 'bin/verify')
const BOOT = join(ROOT, 'test/lab/boot.sh')

/** A file of the lab or of the repository, called by a short name in messages. */
export interface LabFile {
  readonly name: string
  readonly path: string
}

/** Every little-endian object there is: those of Debian's libbpf-tools, the examples and the fixtures. */
export function labObjects (): LabFile[] {
  return [
    ...filesOf(join(LAB, 'objects'), '.bpf.o'),
    ...filesOf(join(ROOT, 'examples'), '.bpf.o'),
    ...filesOf(join(ROOT, 'test/fixtures/wrong-layout'), '.bpf.o'),
    ...filesOf(join(ROOT, 'test/fixtures/big-endian'), '.el.bpf.o')
  ]
}

/** Objects of other projects: performance co-pilot, xdp-tools, libxdp and Knot DNS, out of Debian's packages. */
export function otherObjects (): LabFile[] { return filesOf(join(LAB, 'others'), '.bpf.o') }

/** Every kernel's BTF in the lab. */
export function labBtfs (): LabFile[] {
  return filesOf(join(LAB, 'btf'), '.btf').map(({ name, path }) => ({ name: basename(name, '.btf'), path }))
}

/** A kernel package in the lab; undefined where it is not there. */
export function labPackage (name: string): string | undefined { return filesOf(join(LAB, 'packages', name), '.deb')[0]?.path }

export function labBtf (name: string): string { return join(LAB, 'btf', `${name}.btf`) }

/** `uname -r` of a kernel that can be booted. */
export function labGuestRelease (series: string): string { return readlinkSync(join(LAB, 'kernels', series)) }

function filesOf (directory: string, ending: string): LabFile[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory).filter(name => name.endsWith(ending)).sort().map(name => ({ name, path: join(directory, name) }))
}

/** Something that a test needs beyond Node: what it is, and whether it is here. */
export interface Need {
  readonly what: string
  readonly isHere: () => boolean
}

const file = (path: string): Need => ({ what: path, isHere: () => existsSync(path) })
const command = (name: string): Need =>
  ({ what: `the command ${name}`, isHere: () => spawnSync('/bin/sh', ['-c', `command -v ${name}`], { env: PATHS }).status === 0 })

/** The environment of programs that tests run: the administrator's are not in every user's path. */
export const PATHS = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` }

export const NEEDS = {
  oracle: file(ORACLE),
  objects: { what: `objects in ${LAB}`, isHere: () => filesOf(join(LAB, 'objects'), '.bpf.o').length > 0 },
  others: { what: `objects in ${LAB}/others`, isHere: () => otherObjects().length > 0 },
  attach: file(ATTACH),
  verify: file(VERIFY),
  clang19: command('clang-19'),
  /** A kernel into which this process may load programs, and whose BTF it may hide. */
  kernel: {
    what: 'root, and a kernel that loads eBPF programs',
    isHere: () =>
      process.getuid?.() === 0 && runHere('bpftool map create "$BPFFS/probe" type array key 4 value 4 entries 1 name probe').status === 0
  },
  bpftool: command('bpftool'),
  mkbootimg: command('mkbootimg'),
  lz4: command('lz4'),
  /** systemd's, which is made a unified kernel image by adding a kernel. */
  efiStub: file(EFI_STUB),
  chromium: file(CHROMIUM),
  /** Network namespaces, and links between them. */
  network: {
    what: 'root, and network namespaces',
    isHere: () =>
      spawnSync('unshare', ['--net', 'ip', 'link', 'add', 'here', 'type', 'veth', 'peer', 'name', 'there'], { env: PATHS }).status === 0
  },
  /** BTFHub's layout, with kernels of other distributions. */
  archive: file(process.env['CORELO_SHARED'] ?? join(ROOT, '../shared/btfhub-archive')),
  qemu: command('qemu-system-x86_64'),
  btf: (name: string) => file(labBtf(name)),
  package: (name: string): Need => ({ what: `packages/${name} in ${LAB}`, isHere: () => labPackage(name) !== undefined }),
  tool: command,
  guest: (series: string) => file(join(LAB, 'kernels', series, 'vmlinux'))
} as const

const isCi = !['', '0', 'false', undefined].includes(process.env['CI'])

/**
 * Tests that need more than Node. Where something is missing they are skipped, and their name says why; in CI they fail
 * instead, because a CI that tests nothing must not be green.
 */
export function describeLab (name: string, needs: readonly Need[], body: () => void): void {
  const missing = needs.filter(need => !need.isHere()).map(need => need.what)
  if (missing.length === 0) {
    describe(name, body)
    return
  }
  const reason = `missing: ${missing.join(', ')}; test/lab/prepare.sh --install makes the lab`
  if (!isCi) console.warn(`Skipped: ${name} (${reason})`)
  describe(name, () => {
    it.skipIf(!isCi)(reason, () => { throw new Error(reason) })
  })
}

/** A cache of some thousand modules is some thousand files, on a disk that others use too. */
const REMOVAL_TIMEOUT_MS = 120_000

/** A folder for the tests of one file, removed after them. */
export function scratchFolder (): string {
  const folder = mkdtempSync(join(tmpdir(), 'corelo-lab-'))
  afterAll(() => { rmSync(folder, { recursive: true, force: true }) }, REMOVAL_TIMEOUT_MS)
  return folder
}

/** What libbpf makes of an object: see test/lab/oracle.c. */
export interface OracleAnswer {
  /** `v1.1` */
  readonly libbpf: string
  readonly relocated: boolean
  readonly stage: 'done' | 'relocate' | 'before' | 'open'
  readonly error: string
  /** Of bpf_object__load: 0, or a positive errno. */
  readonly errno: number
  /** Whether it looked for the running kernel's BTF. */
  readonly kernelBtf: boolean
  readonly programs: readonly OracleProgram[]
  /** The signal that ended it: libbpf crashed, or (14) went on for a minute. */
  readonly crashed?: number
}

export interface OracleProgram {
  readonly name: string
  readonly section: string
  readonly autoload: boolean
  /** Hex, eight bytes an instruction. Map references are numbers of maps. */
  readonly insns: string
}

export interface OracleQuestion {
  readonly object: string
  /** Undefined: no BTF at all, which suits an object that has been relocated. */
  readonly btf?: string
}

/** Has libbpf relocate each object, in one process. */
export async function askOracle (
  questions: readonly OracleQuestion[], options: { readonly autoloadDefault?: boolean } = {}
): Promise<OracleAnswer[]> {
  const child = spawn(
    ORACLE, ['batch', ...(options.autoloadDefault === true ? ['--autoload-default'] : [])], { stdio: ['pipe', 'pipe', 'inherit'] }
  )
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => { chunks.push(chunk) })
  child.stdin.end(questions.map(({ object, btf }) => `${object}\t${btf ?? '-'}\n`).join(''))
  const status = await new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  if (status !== 0) throw new Error(`the oracle ended with ${String(status)}`)
  const answers = Buffer.concat(chunks).toString().split('\x1e').slice(1).map(toAnswer)
  if (answers.length !== questions.length) throw new Error(`the oracle gave ${answers.length} answers to ${questions.length} questions`)
  return answers
}

function toAnswer (text: string): OracleAnswer {
  return {
    libbpf: '',
    relocated: false,
    stage: 'before',
    error: '',
    errno: 0,
    kernelBtf: false,
    programs: [],
    ...JSON.parse(text) as Partial<OracleAnswer>
  }
}

/** The one answer to one question, or undefined where libbpf does not come to an end in `seconds`. */
export function askOracleOnce ({
  object, btf
}: OracleQuestion, seconds: number, options: { readonly autoloadDefault?: boolean } = {}): OracleAnswer | undefined {
  const { stdout, signal } = spawnSync(ORACLE, [
    'relocate', ...(options.autoloadDefault === true ? ['--autoload-default'] : []), object, btf ?? '-'
  ],
  { timeout: seconds * 1000, killSignal: 'SIGKILL', encoding: 'utf8' })
  if (signal === 'SIGKILL') return undefined
  return signal === null ? toAnswer(stdout) : toAnswer(`{"crashed":${SIGNALS[signal] ?? 0}}`)
}

const SIGNALS: Partial<Record<NodeJS.Signals, number>> = { SIGABRT: 6, SIGFPE: 8, SIGSEGV: 11, SIGBUS: 7 }

/** Whether libbpf behind the oracle is at least this version, such as 1.6. */
export async function oracleIsAtLeast (version: string): Promise<boolean> {
  const [answer] = await askOracle([{ object: join(ROOT, 'examples/exec.bpf.o') }])
  const number = (text: string) => text.replace(/^v/, '').split('.').slice(0, 2).reduce((sum, part) => sum * 1000 + Number(part), 0)
  return number(answer?.libbpf ?? '') >= number(version)
}

/** Where two dumps of the same programs differ, one line each, down to the instruction. Empty where they are equal. */
export function compareDumps (expected: OracleAnswer, actual: OracleAnswer): string[] {
  if (expected.programs.length !== actual.programs.length) {
    return [`${expected.programs.length} programs, and ${actual.programs.length} of ours`]
  }
  return expected.programs.flatMap((program, i) => {
    const ours = actual.programs[i]
    if (ours?.name !== program.name) return [`program ${i} is ${program.name}, and ours ${ours?.name}`]
    const wanted = program.insns.match(/.{16}/g) ?? []
    const found = ours.insns.match(/.{16}/g) ?? []
    if (wanted.length !== found.length) return [`program ${program.name}: ${wanted.length} instructions, and ${found.length} of ours`]
    return wanted.flatMap((insn, at) =>
      insn === found[at] ? [] : [`program ${program.name}, instruction ${at}: ${insn}, and ours ${found[at]}`])
  })
}

export interface Run {
  readonly status: number | null
  readonly output: string
}

/** Runs a program to its end; both of its outputs, together. */
function run (program: string, args: readonly string[], options: { readonly seconds?: number } = {}): Run {
  const { status, stdout, stderr, error } = spawnSync(
    program, args, { encoding: 'utf8', env: PATHS, timeout: (options.seconds ?? 120) * 1000, maxBuffer: 64 * 1024 * 1024 }
  )
  if (error !== undefined && status === null) throw error
  return { status, output: stdout + stderr }
}

/**
 * Runs a shell script on this machine, in a mount namespace of its own. Unless told otherwise its kernel has no BTF there.
 * `$BPFFS` is a folder where programs can be pinned; it is gone afterwards, and what was pinned with it.
 */
export function runHere (script: string, options: { readonly kernelBtf?: boolean } = {}): Run {
  const hide = 'if [ -d /sys/kernel/btf ]; then mount -t tmpfs hidden /sys/kernel/btf || exit 90; fi'
  return run('unshare', ['--mount', '/bin/bash', '-c', `
    set -u
    BPFFS=/mnt
    mount -t bpf bpf "$BPFFS" || exit 91
    ${options.kernelBtf === true ? '' : hide}
    ${script}`])
}

/** Boots a kernel of the lab and runs a shell script in it; files are put where told. The kernel's BTF is hidden from the guest. */
export function runInGuest (series: string, script: string, files: Readonly<Record<string, string>>, options: {
  readonly kernelBtf?: boolean
} = {}): Run {
  return run(BOOT, [
    ...(options.kernelBtf === true ? ['--kernel-btf'] : []), series, script,
    ...Object.entries(files).map(([guest, source]) => `${source}:${guest}`)
  ], { seconds: 240 })
}
