import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { Btf } from '../../src/btf/btf.js'
import { parseBtf, parseObject, relocate } from '../../src/core/index.js'
import { describeRelocation, type RelocationReport } from '../../src/report/index.js'
import { describeLab, labBtfs, NEEDS, scratchFolder } from '../support/lab.js'

const HEAD = `#include <linux/types.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#define CORE __attribute__((preserve_access_index))
char LICENSE[] SEC("license") = "GPL";
__u64 out;
`

interface Case {
  readonly kernel: RegExp
  readonly types: string
  /** What the program reads: a type, a path. */
  readonly read: readonly [type: string, path: string]
  readonly detail: string
  /** The function that the first suggestion defines. */
  readonly calls?: string
}

const TASK = 'struct task_struct { volatile long state; unsigned int cpu; } CORE;'
const DISKS = 'struct gendisk { int major; } CORE; struct request { struct gendisk *rq_disk; } CORE; ' +
  'struct bio { struct gendisk *bi_disk; } CORE;'
const INODE = 'struct timespec64 { long long tv_sec; long tv_nsec; } CORE; struct inode { struct timespec64 i_atime, i_ctime; } CORE;'

const CASES: readonly Case[] = [
  {
    kernel: /^debian-6\.1$/,
    types: TASK,
    read: ['struct task_struct', 'state'],
    detail: 'struct task_struct has no member state in this kernel. It has __state.',
    calls: 'task_struct_state'
  },
  {
    kernel: /4\.19/,
    types: 'struct task_struct { unsigned int __state; } CORE;',
    read: ['struct task_struct', '__state'],
    detail: 'struct task_struct has no member __state in this kernel. It has state.',
    calls: 'task_struct_state'
  },
  {
    kernel: /^debian-6\.12$/,
    types: TASK,
    read: ['struct task_struct', 'cpu'],
    detail: 'struct task_struct has no member cpu in this kernel. It has thread_info.cpu.',
    calls: 'task_struct_cpu'
  },
  {
    kernel: /4\.19/,
    types: 'struct rtable { unsigned int rt_gw4; } CORE;',
    read: ['struct rtable', 'rt_gw4'],
    detail: 'struct rtable has no member rt_gw4 in this kernel. It has rt_gateway.',
    calls: 'rtable_rt_gw4'
  },
  {
    kernel: /^debian-6\.1$/,
    types: 'struct thread_struct { unsigned long fs; } CORE;',
    read: ['struct thread_struct', 'fs'],
    detail: 'struct thread_struct has no member fs in this kernel. It has fsbase.',
    calls: 'thread_struct_fs'
  },
  {
    kernel: /^debian-6\.1$/,
    types: DISKS,
    read: ['struct request', 'rq_disk'],
    detail: 'struct request has no member rq_disk in this kernel. It has q->disk and part->bd_disk.',
    calls: 'request_rq_disk'
  },
  {
    kernel: /^debian-6\.1$/,
    types: DISKS,
    read: ['struct bio', 'bi_disk'],
    detail: 'struct bio has no member bi_disk in this kernel. It has bi_bdev->bd_disk.',
    calls: 'bio_bi_disk'
  },
  {
    kernel: /^debian-6\.12$/,
    types: INODE,
    read: ['struct inode', 'i_atime.tv_sec'],
    detail: 'struct inode has no member i_atime in this kernel. It has i_atime_sec.',
    calls: 'inode_i_atime_tv_sec'
  },
  {
    kernel: /^debian-6\.12$/,
    types: INODE,
    read: ['struct inode', 'i_ctime.tv_nsec'],
    detail: 'struct inode has no member i_ctime in this kernel. It has i_ctime_nsec.',
    calls: 'inode_i_ctime_tv_nsec'
  },
  {
    kernel: /^debian-6\.1$/,
    types: 'struct inode { long long i_atime_sec; } CORE;',
    read: ['struct inode', 'i_atime_sec'],
    detail: 'struct inode has no member i_atime_sec in this kernel. It has i_atime.tv_sec.',
    calls: 'inode_i_atime_sec'
  },
  {
    kernel: /^running$/,
    types: 'struct folio { unsigned long flags; } CORE;',
    read: ['struct folio', 'flags'],
    detail: 'struct folio has memdesc_flags_t flags in this kernel, which cannot be read as unsigned long flags. It has flags.f.',
    calls: 'folio_flags'
  },
  {
    kernel: /^running$/,
    types: 'struct tty_driver { short type; } CORE;',
    read: ['struct tty_driver', 'type'],
    detail: 'struct tty_driver has enum tty_driver_type type in this kernel, which cannot be read as short type.',
    calls: 'tty_driver_type'
  },
  {
    kernel: /^bclinux-4\.19/,
    types: 'struct xdp_md { unsigned int data; } CORE;',
    read: ['struct xdp_md', 'data'],
    detail: 'This kernel\'s BTF has no struct xdp_md, which does not tell that the kernel has none: its layout is part of the interface ' +
      'between kernels and programs (linux/bpf.h), and needs no relocation.'
  },
  {
    kernel: /4\.19/,
    types: 'struct folio { unsigned long flags; } CORE;',
    read: ['struct folio', 'flags'],
    detail: 'This kernel has no struct folio.'
  },
  {
    kernel: /^debian-6\.1$/,
    types: 'struct trace_entry { unsigned char preempt_lazy_count; } CORE;',
    read: ['struct trace_entry', 'preempt_lazy_count'],
    detail: 'struct trace_entry has no member preempt_lazy_count in this kernel.'
  }
]

/** Something else than a field that a kernel does not have as the program wants it. */
interface OtherCase {
  readonly reason: string
  readonly kernel: RegExp | { readonly types: string }
  readonly types: string
  /** What the program does. */
  readonly body: string
  /** Whether it loads as it is, and only reads something wrong. */
  readonly loads?: true
  readonly detail: string | RegExp
  /** What the program does with the function that a suggestion defines; undefined where none defines one. */
  readonly calls?: string
  readonly modules?: readonly string[]
}

const readInto = (type: string, pointer: string): string =>
  `{ ${type} value = 0; bpf_probe_read_kernel(&value, sizeof(value), ${pointer}); out = value; }`
const VISITORS = `#include <linux/bpf.h>
struct visitor { unsigned int pid; char comm[16]; struct visitor *next; } CORE;
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 8); __type(key, int); __type(value, struct visitor);
} visitors SEC(".maps");`

const OTHER_CASES: readonly OtherCase[] = [
  {
    reason: 'enumerator_missing',
    kernel: /^debian-6\.1$/,
    types: 'enum node_stat_item { NR_SLAB_RECLAIMABLE = 5 };',
    body: 'out = bpf_core_enum_value(enum node_stat_item, NR_SLAB_RECLAIMABLE);',
    detail: 'enum node_stat_item has no enumerator NR_SLAB_RECLAIMABLE in this kernel. It has NR_SLAB_RECLAIMABLE_B.',
    calls: 'out = node_stat_item_NR_SLAB_RECLAIMABLE();'
  },
  {
    reason: 'bitfield_read_plainly',
    kernel: /4\.19/,
    types: 'struct sock { unsigned short sk_protocol; } CORE;',
    body: readInto('unsigned short', '&((struct sock *)p)->sk_protocol'),
    loads: true,
    detail: 'sock.sk_protocol is unsigned short sk_protocol (2 bytes) in the object and unsigned int sk_protocol:8 (a bitfield at bit ' +
      '4296) in this kernel. The program reads it as a plain field, so that it gets a wrong value, as it would from libbpf.',
    calls: 'out = sock_sk_protocol(p);'
  },
  {
    reason: 'bitfield_read_plainly',
    kernel: /^debian-6\.1$/,
    types: 'struct task_struct { unsigned short in_execve; } CORE;',
    body: readInto('unsigned short', '&((struct task_struct *)p)->in_execve'),
    loads: true,
    detail: /^task_struct\.in_execve is unsigned short in_execve \(2 bytes\) in the object and unsigned int in_execve:1 \(a bitfield at bit \d+\) in this kernel\. The program reads it as a plain field, so that it gets a wrong value, as it would from libbpf\.$/,
    calls: 'out = task_struct_in_execve(p);'
  },
  {
    reason: 'access_size_unsafe',
    kernel: /^debian-6\.1$/,
    types: 'struct task_struct { long exit_code; } CORE;',
    body: 'out = ((struct task_struct *)p)->exit_code;',
    detail: 'task_struct.exit_code is long exit_code (8 bytes) in the object and int exit_code (4 bytes) in this kernel; only pointers ' +
      'and unsigned integers can be read at another size.',
    calls: 'out = task_struct_exit_code(p);'
  },
  {
    reason: 'type_ruled_out',
    kernel: {
      types: 'void first(struct adapter { char head[608]; long gotcl_old; } *a) {}\n' +
        'void second(struct adapter { char head[12512]; long ptp_delta; } *a) {}'
    },
    types: 'struct adapter { long gotcl_old, ptp_delta; } CORE;',
    body: `${readInto('long', '&((struct adapter *)p)->gotcl_old')} ${readInto('long', '&((struct adapter *)p)->ptp_delta')}`,
    detail: 'This kernel has several types struct adapter. adapter.ptp_delta is in type 10 of 12520 bytes, which the relocation of ' +
      'adapter.gotcl_old (instruction 4 of a) ruled out, because only type 2 of 616 bytes has that field. Each flavour of the struct ' +
      'is looked up by itself.',
    calls: `${readInto('long', '&((struct adapter *)p)->gotcl_old')} out = adapter_ptp_delta(p);`
  },
  {
    // That of pciehp, and that of shpchp.
    reason: 'type_ruled_out',
    kernel: /^debian-6\.1$/,
    types: 'struct controller { unsigned int slot_cap; int num_slots; } CORE;',
    body: `${readInto('unsigned int', '&((struct controller *)p)->slot_cap')} ${readInto('int', '&((struct controller *)p)->num_slots')}`,
    detail: /^This kernel has several types struct controller\. controller\.num_slots is in type \d+ of \d+ bytes, which the relocation of controller\.slot_cap \(instruction 4 of a\) ruled out, because only type \d+ of \d+ bytes has that field\. Each flavour of the struct is looked up by itself\.$/,
    calls: `${readInto('unsigned int', '&((struct controller *)p)->slot_cap')} out = controller_num_slots(p);`
  },
  {
    reason: 'type_missing',
    kernel: /^debian-6\.1$/,
    types: VISITORS,
    body: 'int key = 0; struct visitor *visitor = bpf_map_lookup_elem(&visitors, &key); if (visitor) out = visitor->pid;',
    detail: 'This kernel has no struct visitor. The program\'s map visitors stores it, so it seems to be the program\'s own type, ' +
      'which no kernel has. It has a value only where the loader supplies the layout, as by KernelTypes of cilium/ebpf or ' +
      'btf_custom_path of libbpf.'
  },
  {
    reason: 'type_in_module',
    kernel: /^debian-6\.1$/,
    types: 'struct nfs_inode { unsigned long long fileid; } CORE;',
    body: readInto('unsigned long long', '&((struct nfs_inode *)p)->fileid'),
    detail: 'The kernel itself has no struct nfs_inode; its module nfs has one. Name the module in `modules`, where the node has it ' +
      'loaded before the program.',
    modules: ['nfs']
  }
]

describeLab('what is said of a field that a real kernel does not have', [NEEDS.objects], () => {
  const folder = scratchFolder()
  const compile = (name: string, source: string): Uint8Array => {
    const [c, o] = [join(folder, `${name}.c`), join(folder, `${name}.o`)]
    writeFileSync(c, source)
    execFileSync('clang', [
      '-g', '-O2', '-Wall', '-Werror', '-Wno-unused-function', '-Wno-unused-variable', '-target', 'bpf', '-idirafter',
      `/usr/include/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`, '-c', c, '-o', o
    ])
    return readFileSync(o)
  }
  /** The types of C as a kernel's BTF. */
  const compiledBtf = (name: string, types: string): Uint8Array => {
    const [c, o, btf] = ['c', 'o', 'btf'].map(ending => join(folder, `${name}.${ending}`)) as [string, string, string]
    writeFileSync(c, types)
    execFileSync('clang', ['-g', '-O2', '-w', '-target', 'bpf', '-c', c, '-o', o])
    execFileSync('llvm-objcopy', ['--dump-section', `.BTF=${btf}`, o])
    return readFileSync(btf)
  }
  /** Of a kernel of the lab; undefined where it is an archived one, which is not everywhere. */
  const btfOf = (kernel: RegExp): Btf | undefined => {
    const path = labBtfs().find(({ name }) => kernel.test(name))?.path
    return path === undefined ? undefined : parseBtf(readFileSync(path))
  }
  const report = (object: Uint8Array, btf: Btf, modules: readonly string[] = []): RelocationReport => {
    const parsed = parseObject(object)
    return describeRelocation(parsed, relocate(parsed, btf), { modulesWith: () => modules })
  }

  it.each(
    CASES.map((which, i) => [`${which.read.join('.')} on ${which.kernel.source}`, which, i] as const)
  )('%s: the sentence, and code that compiles and finds the field', (_, { kernel, types, read: [type, path], detail, calls }, i) => {
    const btf = btfOf(kernel)
    if (btf === undefined) return
    const program = (body: string): string => `SEC("raw_tp/a") int a(__u64 *ctx) { ${type} *p = (void *)ctx[0]; ${body} return 0; }\n`
    const found = report(compile(`read${i}`, `${HEAD}${types}\n${program(`out = (__u64)BPF_CORE_READ(p, ${path});`)}`), btf)
    const [entry] = found.relocations.filter(({ reason }) => reason !== null)
    expect(entry?.detail).toBe(detail)
    expect(entry?.suggestions.length).toBeGreaterThan(0)
    for (const [j, { code }] of (entry?.suggestions ?? []).entries()) {
      const isStatement = code.startsWith('if (')
      if (code.startsWith(`${type} {`)) { // in place of the declaration that asks for relocation
        const plain = report(compile(`pasted${i}_${j}`, `${HEAD}${code}\n${program(`out = p->${path};`)}`), btf)
        expect(plain.relocations).toEqual([])
        continue
      }
      const source = isStatement
        ? `${types}\n${program(`${code} out = 1;`)}`
        : `${types}\n${code}\n${program(`out = (__u64)${calls ?? ''}(p);`)}`
      const pasted = report(compile(`pasted${i}_${j}`, HEAD + source), btf)
      const ours = pasted.relocations.filter(({ type: root }) => root.includes('___new'))
      expect(ours.map(({ status }) => status).filter(status => status !== 'resolved'), source).toEqual([])
      expect(ours.length > 0, source).toBe(!isStatement)
      expect(pasted.counts.failed ?? 0).toBe(0)
    }
  })

  it.each(OTHER_CASES.map((which, i) =>
    [
      which.reason, which.kernel instanceof RegExp ? which.kernel.source : 'a compiled kernel', which, i
    ] as const))('%s on %s: the sentence, and code that compiles and loads', (_, __, {
    reason, kernel, types, body, loads, detail, calls, modules
  }, i) => {
    const btf = kernel instanceof RegExp ? btfOf(kernel) : parseBtf(compiledBtf(`kernel${i}`, kernel.types))
    if (btf === undefined) return
    const program = (text: string): string =>
      `SEC("raw_tp/a") int a(__u64 *ctx) { void *p = (void *)ctx[0]; if (!p) return 0; ${text} return 0; }\n`
    const found = report(compile(`other${i}`, `${HEAD}${types}\n${program(body)}`), btf, modules)
    const [entry] = found.relocations.filter(relocation => relocation.reason !== null)
    expect(entry).toMatchObject({ reason, detail: typeof detail === 'string' ? detail : expect.stringMatching(detail) })
    expect(found.verdict).toBe(loads === true ? 'loads' : 'fails')
    expect(entry?.suggestions.length).toBeGreaterThan(0)
    for (const [j, { code }] of (entry?.suggestions ?? []).entries()) {
      const isGuard = code.startsWith('if (')
      const source = isGuard
        ? `${types}\n${program(code.replace(/\/\* .* \*\//, body))}`
        : calls === undefined
          ? `${types.replace(/^struct \w+ \{.*\} CORE;$/m, code)}\n${program(body)}` // in place of the declaration that asks for relocation
          : `${types}\n${code}\n${program(calls)}`
      const pasted = report(compile(`used${i}_${j}`, HEAD + source), btf, modules)
      expect(pasted.counts.failed ?? 0).toBe(0)
      expect(pasted.verdict, source).toBe('loads')
      expect(pasted.warnings.map(warning => warning.code), source).toEqual(isGuard || calls !== undefined ? [] : ['nothing_to_relocate'])
      // A guard says no, and what asks for the kernel's own finds it.
      if (isGuard) expect(pasted.counts.absent, source).toBeGreaterThan(0)
      else expect(pasted.relocations.filter(({ type, status }) => type.includes('___new') && status !== 'resolved'), source).toEqual([])
    }
  })
})
