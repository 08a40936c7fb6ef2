import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
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
const DISKS = 'struct gendisk { int major; } CORE; struct request { struct gendisk *rq_disk; } CORE; struct bio { struct gendisk *bi_disk; } CORE;'
const INODE = 'struct timespec64 { long long tv_sec; long tv_nsec; } CORE; struct inode { struct timespec64 i_atime, i_ctime; } CORE;'

const CASES: readonly Case[] = [
  { kernel: /^debian-6\.1$/, types: TASK, read: ['struct task_struct', 'state'], detail: 'struct task_struct has no member state in this kernel. It has __state.', calls: 'task_struct_state' },
  { kernel: /4\.19/, types: 'struct task_struct { unsigned int __state; } CORE;', read: ['struct task_struct', '__state'], detail: 'struct task_struct has no member __state in this kernel. It has state.', calls: 'task_struct_state' },
  { kernel: /^debian-6\.12$/, types: TASK, read: ['struct task_struct', 'cpu'], detail: 'struct task_struct has no member cpu in this kernel. It has thread_info.cpu.', calls: 'task_struct_cpu' },
  { kernel: /^debian-6\.1$/, types: DISKS, read: ['struct request', 'rq_disk'], detail: 'struct request has no member rq_disk in this kernel. It has q->disk and part->bd_disk.', calls: 'request_rq_disk' },
  { kernel: /^debian-6\.1$/, types: DISKS, read: ['struct bio', 'bi_disk'], detail: 'struct bio has no member bi_disk in this kernel. It has bi_bdev->bd_disk.', calls: 'bio_bi_disk' },
  { kernel: /^debian-6\.12$/, types: INODE, read: ['struct inode', 'i_atime.tv_sec'], detail: 'struct inode has no member i_atime in this kernel. It has i_atime_sec.', calls: 'inode_i_atime_tv_sec' },
  { kernel: /^debian-6\.12$/, types: INODE, read: ['struct inode', 'i_ctime.tv_nsec'], detail: 'struct inode has no member i_ctime in this kernel. It has i_ctime_nsec.', calls: 'inode_i_ctime_tv_nsec' },
  { kernel: /^debian-6\.1$/, types: 'struct inode { long long i_atime_sec; } CORE;', read: ['struct inode', 'i_atime_sec'], detail: 'struct inode has no member i_atime_sec in this kernel. It has i_atime.tv_sec.', calls: 'inode_i_atime_sec' },
  { kernel: /^running$/, types: 'struct folio { unsigned long flags; } CORE;', read: ['struct folio', 'flags'], detail: 'struct folio has memdesc_flags_t flags in this kernel, which cannot be read as unsigned long flags. It has flags.f.', calls: 'folio_flags' },
  { kernel: /4\.19/, types: 'struct folio { unsigned long flags; } CORE;', read: ['struct folio', 'flags'], detail: 'This kernel has no struct folio.' },
  { kernel: /^debian-6\.1$/, types: 'struct trace_entry { unsigned char preempt_lazy_count; } CORE;', read: ['struct trace_entry', 'preempt_lazy_count'], detail: 'struct trace_entry has no member preempt_lazy_count in this kernel.' }
]

describeLab('what is said of a field that a real kernel does not have', [NEEDS.objects], () => {
  const folder = scratchFolder()
  const compile = (name: string, source: string): Uint8Array => {
    const [c, o] = [join(folder, `${name}.c`), join(folder, `${name}.o`)]
    writeFileSync(c, source)
    execFileSync('clang', ['-g', '-O2', '-Wall', '-Werror', '-Wno-unused-function', '-Wno-unused-variable', '-target', 'bpf', '-idirafter', `/usr/include/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`, '-c', c, '-o', o])
    return readFileSync(o)
  }
  const report = (object: Uint8Array, kernel: RegExp): RelocationReport | undefined => {
    const btf = labBtfs().find(({ name }) => kernel.test(name))
    if (btf === undefined) return undefined
    const parsed = parseObject(object)
    return describeRelocation(parsed, relocate(parsed, parseBtf(readFileSync(btf.path))))
  }

  it.each(CASES.map((which, i) => [`${which.read.join('.')} on ${which.kernel.source}`, which, i] as const))('%s: the sentence, and code that compiles and finds the field', (_, { kernel, types, read: [type, path], detail, calls }, i) => {
    const program = (body: string): string => `SEC("raw_tp/a") int a(__u64 *ctx) { ${type} *p = (void *)ctx[0]; ${body} return 0; }\n`
    const found = report(compile(`read${i}`, `${HEAD}${types}\n${program(`out = (__u64)BPF_CORE_READ(p, ${path});`)}`), kernel)
    if (found === undefined) return // an archived kernel that is not everywhere
    const [entry] = found.relocations.filter(({ reason }) => reason !== null)
    expect(entry?.detail).toBe(detail)
    expect(entry?.suggestions.length).toBeGreaterThan(0)
    for (const [j, { code }] of (entry?.suggestions ?? []).entries()) {
      const isStatement = code.startsWith('if (')
      if (code.startsWith(`${type} {`)) { // in place of the declaration that asks for relocation
        const plain = report(compile(`pasted${i}_${j}`, `${HEAD}${code}\n${program('out = p->flags;')}`), kernel)
        expect(plain?.relocations).toEqual([])
        continue
      }
      const source = isStatement ? `${types}\n${program(`${code} out = 1;`)}` : `${types}\n${code}\n${program(`out = (__u64)${calls ?? ''}(p);`)}`
      const pasted = report(compile(`pasted${i}_${j}`, HEAD + source), kernel)
      const ours = pasted?.relocations.filter(({ type: root }) => root.includes('___new')) ?? []
      expect(ours.map(({ status }) => status).filter(status => status !== 'resolved'), source).toEqual([])
      expect(ours.length > 0, source).toBe(!isStatement)
      expect(pasted?.counts.failed ?? 0).toBe(0)
    }
  })
})
