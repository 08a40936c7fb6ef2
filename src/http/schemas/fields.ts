import { Type } from 'typebox'

/** Patterns of text fields with what they ask for, to follow "must be". */
const PATTERNS = {
  sha256: ['^sha256:[0-9a-f]{64}$', '`sha256:` and 64 lower-case hex digits'],
  sha256List: ['^sha256:[0-9a-f]{64}(?:,sha256:[0-9a-f]{64})*$', 'hashes (`sha256:` and 64 lower-case hex digits), separated by commas'],
  segment: ['^[A-Za-z0-9._+~-]{1,128}$', '1 to 128 of the characters A-Z a-z 0-9 . _ + ~ -'],
  release: [
    '^[A-Za-z0-9._+~-]{1,128}(?:/[A-Za-z0-9._+~-]{1,128}){0,3}$',
    'a kernel release (`uname -r`), or <distro>/<distro_version>/<arch>/<kernel_release>'
  ],
  kernelVersion: ['^[\\x20-\\x7e]{1,256}$', 'the output of `uname -v`: 1 to 256 printable ASCII characters'],
  buildId: ['^(?:[0-9A-Fa-f]{2}){8,64}$', "the kernel's GNU build-id: 16 to 128 hex digits"],
  moduleList: ['^[A-Za-z0-9._+~-]{1,128}(?:,[A-Za-z0-9._+~-]{1,128})*$', 'names of kernel modules, separated by commas'],
  typeName: [
    '^(?:(?:struct|union|enum|typedef)[ +])?[A-Za-z_][A-Za-z0-9_]{0,255}$',
    'a type as C writes it: `struct task_struct`, `enum pid_type`, or the name of a typedef'
  ],
  name: ['^[A-Za-z_][A-Za-z0-9_]{0,255}$', 'a name that C has, of at most 256 characters'],
  member: [
    '^[A-Za-z_][A-Za-z0-9_]{0,255}(?:\\.[A-Za-z_][A-Za-z0-9_]{0,255}){0,7}$',
    'the name of a member, or names with dots between for one of an embedded struct'
  ],
  patternList: ['^[A-Za-z0-9._+~*/,-]{1,16384}$', 'patterns of kernels, separated by commas'],
  cursor: ['^[\\x21-\\x7e]{1,1024}$', 'the `next_cursor` of an earlier answer']
} as const

const MUST: ReadonlyMap<string, string> = new Map(Object.values(PATTERNS))

/** What a value has to be, in words, where the schema asks for one of our patterns. */
export function mustOf (pattern: string): string | undefined { return MUST.get(pattern) }

const text = (pattern: keyof typeof PATTERNS, description: string, options: object = {}) =>
  Type.String({ pattern: PATTERNS[pattern][0], description, ...options })

/** One of a few texts. Says `type` too, which TypeBox's own enumerations leave out. */
export const choice = <const Value extends string>(values: readonly Value[], options: object = {}) =>
  Type.Unsafe<Value>({ type: 'string', enum: values, ...options })

const KINDS = ['struct', 'union', 'enum', 'typedef'] as const

/** Kinds of type that are asked for by name. */
export const typeKind = (options: object = {}) => choice(KINDS, options)

const EXAMPLE_HASH = 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

export const sha256 = (description: string) => text('sha256', description, { examples: [EXAMPLE_HASH] })
export const sha256List = (description: string) => text('sha256List', description)
export const segment = (description: string, example: string) => text('segment', description, { examples: [example] })
export const release = (description: string) => text('release', description, { examples: ['5.4.0-42-generic'] })
export const kernelVersion = (description: string) =>
  text('kernelVersion', description, { examples: ['#46-Ubuntu SMP Fri Jul 10 00:24:02 UTC 2020'] })
export const buildId = (description: string) => text('buildId', description, { examples: ['24a3598fd700114d0a1b1a4871badcee75d0acac'] })
export const moduleList = (description: string) => text('moduleList', description, { examples: ['nf_conntrack,xfs'] })
export const typeName = (description: string) => text('typeName', description, { examples: ['struct+task_struct'] })
export const name = (description: string, example: string) => text('name', description, { examples: [example] })
export const member = (description: string) => text('member', description, { examples: ['state'] })
export const patternList = (description: string) => text('patternList', description, { examples: ['debian/*/x86_64/*'] })
export const cursor = (description: string) => text('cursor', description)
