// From a fresh checkout to a relocated program: builds, starts the service, sends it an example object for the running kernel,
// prints the report and, where that is allowed, loads the result into the kernel. Leaves nothing behind but dist/.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { release, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { spawnService } from './service.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const object = 'examples/exec.bpf.o'
const sampleBtf = 'examples/kernels/sample.btf'
const runningBtf = '/sys/kernel/btf/vmlinux'
const started = performance.now()

let step = 0
let stepStarted = started
function begin (title) {
  stepStarted = performance.now()
  console.log(`\n${++step}. ${title}`)
}
function done (text) { console.log(`   ${text} (${((performance.now() - stepStarted) / 1000).toFixed(1)} s)`) }

const work = mkdtempSync(join(tmpdir(), 'corelo-quickstart-'))
let service
process.on('exit', () => {
  service?.child.kill('SIGKILL')
  rmSync(work, { recursive: true, force: true })
})
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130))

try {
  begin('Build')
  build()
  done('src/ compiled and bundled into dist/')

  begin('Start the service')
  const address = await startService()
  done(`it listens on ${address}`)

  begin(`Relocate ${object}`)
  const isForRunningKernel = existsSync(runningBtf)
  const { report, relocated, command } = await relocate(address, isForRunningKernel)
  console.log(`   ${command}`)
  done(isForRunningKernel
    ? `relocated for the running kernel, ${report.kernel.reference ?? release()}`
    : `this kernel (${release()}) shows no BTF of its own, so a sample layout took its place: ${sampleBtf}`)
  console.log('')
  await printReport(report)

  begin('Load the result into the kernel')
  loadIntoKernel(relocated, isForRunningKernel)

  begin('Stop')
  await stopService()
  done('the service is stopped and its files are removed')
  console.log(`\nDone in ${((performance.now() - started) / 1000).toFixed(1)} s.`)
} catch (error) {
  console.error(`\nThe quickstart failed at step ${step}: ${error.message}`)
  process.exitCode = 1
}

function build () {
  for (const args of [['node_modules/typescript/bin/tsc', '-b'], ['scripts/build-bundle.mjs']]) {
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' })
    if (status !== 0) throw new Error(`the build failed; did "npm ci" run?\n${stdout}${stderr}`)
  }
}

/** On a free port, with a cache of its own. Resolves when it is ready. */
async function startService () {
  service = spawnService({ CORELO_CACHE_DIR: join(work, 'cache') }, { stderr: 'pipe' })
  await service.ready()
  return service.url
}

async function relocate (address, isForRunningKernel) {
  const form = new FormData()
  form.append('object', new Blob([readFileSync(join(root, object))]), 'exec.bpf.o')
  if (isForRunningKernel) form.append('kernel_release', release())
  else form.append('btf', new Blob([readFileSync(join(root, sampleBtf))]), 'sample.btf')
  const target = isForRunningKernel ? `kernel_release=${release()}` : `btf=@${sampleBtf}`
  const command = `curl -F object=@${object} -F ${target} -o exec.relocated.bpf.o ${address}/relocate`

  const response = await fetch(`${address}/relocate`, { method: 'POST', body: form, headers: { accept: 'multipart/form-data' } })
  if (!response.ok) throw new Error(`POST /relocate answered ${response.status}: ${(await response.json()).detail}`)
  const parts = await response.formData()
  const relocated = join(work, 'exec.relocated.bpf.o')
  writeFileSync(relocated, new Uint8Array(await parts.get('object').arrayBuffer()))
  const part = parts.get('report')
  return { report: JSON.parse(typeof part === 'string' ? part : await part.text()), relocated, command }
}

async function printReport (report) {
  const { countsText, reportTables } = await import(new URL('../dist/cli/report-text.js', import.meta.url))
  for (const line of reportTables(report)) console.log(line === '' ? '' : `   ${line}`)
  const poisoned = report.counts.poisoned > 0
    ? ' (a poisoned instruction reads what this kernel does not have; the kernel takes the program as long as it cannot be reached)'
    : ''
  console.log(`   ${countsText(report.counts)}${poisoned}; ${report.result.changed_instructions} instructions changed`)
}

/** Says what was done, or why it was left out. */
function loadIntoKernel (relocated, isForRunningKernel) {
  const skip = why => done(`skipped: ${why}`)
  if (!isForRunningKernel) return skip('the object was relocated for the sample layout, not for this kernel')
  if (process.getuid?.() !== 0) return skip('loading eBPF programs needs root')
  const bpftool = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin'].map(folder => join(folder, 'bpftool')).find(existsSync)
  if (bpftool === undefined) return skip('bpftool is not installed')
  const probe = spawnSync(bpftool, ['prog', 'list'], { encoding: 'utf8' })
  if (probe.status !== 0) return skip(`bpf() is not allowed here: ${firstLine(probe)}`)

  // The BPF file system is mounted in a mount namespace of its own: it ends with the shell, and the pinned program with it.
  const pins = join(work, 'bpf')
  mkdirSync(pins)
  const script = 'mount -t bpf bpf "$2" || exit 77; "$0" prog load "$1" "$2/exec" && "$0" prog show pinned "$2/exec"'
  const loaded = spawnSync(
    'unshare', ['--mount', '--propagation', 'private', 'sh', '-c', script, bpftool, relocated, pins], { encoding: 'utf8' }
  )
  if (loaded.error !== undefined || loaded.status === 77 || loaded.stderr.startsWith('unshare:')) {
    return skip(`no BPF file system can be mounted here: ${firstLine(loaded)}`)
  }
  if (loaded.status !== 0) throw new Error(`the kernel refused the program:\n${loaded.stdout}${loaded.stderr}`)
  console.log(`   ${firstLine(loaded)}`)
  done("loaded by bpftool, taken by the kernel's verifier, and removed again")
}

function firstLine ({ stdout, stderr, error }) { return (stdout || stderr || error?.message || 'no output').trim().split('\n')[0] }

async function stopService () {
  const code = await service.stop() // SIGTERM would first wait for load balancers to notice
  service = undefined
  if (code !== 0) throw new Error(`the service exited with ${code} on SIGINT`)
}
