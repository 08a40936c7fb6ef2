import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { describeLab, NEEDS, ROOT, runHere, scratchFolder, type Run } from '../support/lab.js'
import { EXEC, relocateFor } from './relocated.js'

const LOADERS = join(ROOT, 'examples/loaders')

function build (command: string, args: readonly string[], options: { readonly cwd: string, readonly env?: NodeJS.ProcessEnv }): void {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', ...options })
  expect(status, `${command}: ${error?.message ?? stdout + stderr}`).toBe(0)
}

describeLab('a relocated object, on a kernel that shows no BTF,', [NEEDS.kernel, NEEDS.bpftool, NEEDS.btf('running')], () => {
  const folder = scratchFolder()
  let relocated = ''
  beforeAll(() => { relocated = relocateFor('running', [EXEC], folder)[0]?.path ?? '' })

  const expectLoaded = ({ status, output }: Run): void => {
    expect(status, output).toBe(0)
    expect(output).toContain('on_exec')
  }

  it('is loaded by bpftool, as examples/loaders/bpftool.sh does', () => {
    expectLoaded(runHere(`${LOADERS}/bpftool.sh ${relocated} $BPFFS/exec`))
  })

  it('is loaded by libbpf from memory, as examples/loaders/libbpf.c does, which refuses it as it was compiled', () => {
    const loader = join(folder, 'libbpf')
    build('gcc', ['-Wall', '-Wextra', '-Werror', '-o', loader, 'libbpf.c', '-lbpf'], { cwd: LOADERS })
    expectLoaded(runHere(`${loader} ${relocated}`))
    expect(runHere(`${loader} ${EXEC}`)).toMatchObject({ status: 1, output: expect.stringContaining('failed to find valid kernel BTF') })
  })

  it('is loaded by cilium/ebpf from memory, as examples/loaders/cilium does, which refuses it as it was compiled', () => {
    const loader = join(folder, 'cilium')
    const source = join(folder, 'gopath/src/loader')
    mkdirSync(source, { recursive: true })
    cpSync(join(LOADERS, 'cilium/main.go'), join(source, 'main.go'))
    // Debian's package of the library is a GOPATH; modules would be fetched from the internet.
    const env = {
      ...process.env,
      GO111MODULE: 'off',
      GOPATH: `${join(folder, 'gopath')}:/usr/share/gocode`,
      GOCACHE: join(folder, 'gocache'),
      GOFLAGS: ''
    }
    build('go', ['build', '-o', loader, 'main.go'], { cwd: source, env })
    expectLoaded(runHere(`${loader} ${relocated}`))
    expect(runHere(`${loader} ${EXEC}`)).toMatchObject({ status: 1, output: expect.stringContaining('no BTF found for kernel version') })
  })
})
