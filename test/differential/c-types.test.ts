import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { writeHeader } from '../../src/c-types/header.js'
import { parseBtf } from '../../src/index.js'
import { describeLab, labBtfs, NEEDS, PATHS, scratchFolder } from '../support/lab.js'

/** Newer bpftools say it of enumerations that are not as large as an int. */
const MODE = / __attribute__\(\(mode\((?:byte|word)\)\)\)/g
/** Two architectures, and the compilers and encoders of seven years. */
const KERNELS = /^(?:running|debian-6\.1|android-5\.10|kylin-4\.19\.90-24)$/
/** Programs ask for these, so that what the compiler makes of the header can be compared with the BTF. */
const PROGRAM = `#include "vmlinux.h"
_Static_assert(sizeof(struct task_struct) == TASK_BYTES, "task_struct");
_Static_assert(__builtin_offsetof(struct task_struct, pid) == PID_BYTES, "task_struct.pid");
int pid_of(struct task_struct *task) { return task->pid; }
`

describeLab('vmlinux.h', [NEEDS.bpftool, NEEDS.tool('clang')], () => {
  const folder = scratchFolder()

  it.each(labBtfs().filter(({ name }) => KERNELS.test(name)).map(btf =>
    [btf.name, btf] as const))('of %s is that of bpftool to the character, and clang lays it out as the kernel does', (_, { path }) => {
    const btf = parseBtf(readFileSync(path))
    const header = writeHeader(btf)
    const theirs = spawnSync(
      'bpftool', ['btf', 'dump', 'file', path, 'format', 'c'], { env: PATHS, encoding: 'utf8', maxBuffer: 1 << 28 }
    ).stdout
    expect(theirs.length).toBeGreaterThan(1_000_000)
    // Not toBe: a difference of three megabytes cannot be shown.
    expect(header.replaceAll(MODE, '') === theirs.replaceAll(MODE, '')).toBe(true)

    writeFileSync(join(folder, 'vmlinux.h'), header)
    writeFileSync(join(folder, 'program.c'), PROGRAM)
    const { size, pid } = taskByPahole(path)
    const { status, stderr } = spawnSync('clang',
      ['-target', 'bpf', '-g', '-O2', `-DTASK_BYTES=${size}`, `-DPID_BYTES=${pid}`, '-c', 'program.c', '-o', 'program.o'],
      { cwd: folder, encoding: 'utf8' })
    expect(stderr.replaceAll(/^.*warning: .*$/gm, '')).not.toContain('error')
    expect(status).toBe(0)
  })
})

/** Bytes of struct task_struct, and where its pid is, by pahole: another reader of BTF. */
function taskByPahole (path: string): { readonly size: string | undefined, readonly pid: string | undefined } {
  const text = spawnSync('pahole', ['-C', 'task_struct', '-F', 'btf', path], { env: PATHS, encoding: 'utf8', maxBuffer: 1 << 26 }).stdout
  return { size: /\/\* size: (\d+)/.exec(text)?.[1], pid: /^\tpid_t +pid; +\/\* +(\d+) +\d+ \*\/$/m.exec(text)?.[1] }
}
