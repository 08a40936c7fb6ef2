import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { describe, expect, it, onTestFinished } from 'vitest'
import { spec as inspectSpec } from '../../src/cli/inspect.js'
import { spec as agentSpec } from '../../src/cli/agent.js'
import { spec as relocateSpec } from '../../src/cli/relocate.js'
import { LISTED } from '../../src/settings/listed-settings.js'
import { assembler } from '../support/asm.js'
import { btf } from '../support/btf-builder.js'
import { concat } from '../support/byte-writer.js'
import { STB } from '../support/elf-writer.js'
import { buildObject, type ObjectSpec } from '../support/object-builder.js'
import { spawnForTest, startProcess } from '../support/service.js'
import { corelo, EXEC, MAIN, removeFoldersAfterEach, ROOT, temporaryFolder } from './corelo.js'

removeFoldersAfterEach()

const { version, bin } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))

describe('corelo', () => {
  it('is what package.json installs, and can be started as a program', () => {
    expect(readFileSync(join(ROOT, bin.corelo), 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/)
  })

  it('writes no control characters of a name to the terminal, in errors and in warnings', async () => {
    const folder = temporaryFolder()
    const asm = assembler('little')
    const section = 'raw_tp/a'
    const written = (name: string, spec: Partial<ObjectSpec>): string => {
      const path = join(folder, name)
      const programs = [{ section, name: 'p', code: concat(Uint8Array.of(0x85, 0x10, 0, 0, 0xff, 0xff, 0xff, 0xff), asm.exit()) }]
      writeFileSync(path, buildObject({ local: btf(), programs, records: [], ...spec }).bytes)
      return path
    }
    const name = '\u001b[31mred'
    const refused = join(folder, `${name}.o`)
    const warned = written('warned.o', {
      relocations: [{ section, offset: 0, type: 10 }],
      symbols: [{ name, value: 0, size: 0, type: 0, binding: STB.GLOBAL, section: 0 }]
    })
    for (const [path, code] of [[refused, 3], [warned, 0]] as const) {
      const { stderr, code: ended } = await corelo(['inspect', path])
      expect([ended, stderr.includes('?[31mred'), stderr.includes(name)], stderr).toEqual([code, true, false])
    }
  })

  it('prints its version', async () => {
    expect(await corelo(['--version'])).toMatchObject({ code: 0, stdout: Buffer.from(`corelo ${version}\n`), stderr: '' })
  })

  it('prints its help on standard output when asked, and on standard error when there is nothing to do', async () => {
    const asked = await corelo(['--help'])
    expect({ code: asked.code, stderr: asked.stderr }).toEqual({ code: 0, stderr: '' })
    for (const command of ['relocate', 'inspect', 'keys', 'serve', 'agent']) {
      expect(asked.stdout.toString()).toMatch(new RegExp(`^  ${command} `, 'm'))
    }
    expect(await corelo([])).toMatchObject({ code: 2, stdout: Buffer.alloc(0), stderr: asked.stdout.toString() })
  })

  it.each([
    ['relocate', Object.keys(relocateSpec.options)],
    ['inspect', Object.keys(inspectSpec.options)],
    ['serve', LISTED.service.map(({ env }) => env)],
    ['agent', [...Object.keys(agentSpec.options), ...LISTED.agent.map(({ env }) => env)]]
  ])('lists every option of %s in its help', async (command, names) => {
    const { code, stdout, stderr } = await corelo([command, '--help'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    for (const name of names) expect(stdout.toString()).toMatch(new RegExp(`${name}\\b`))
    expect((await corelo(['help', command])).stdout).toEqual(stdout)
    for (const line of stdout.toString().split('\n')) expect(line.length).toBeLessThanOrEqual(100)
  })

  it.each([
    [['relcate'], 'corelo has no command relcate; did you mean relocate?'],
    [['frobnicate'], 'corelo has no command frobnicate.'],
    [['--verison'], 'corelo has no option --verison.'],
    [['toString'], 'corelo has no command toString.'],
    [['serve', '8080'], 'corelo serve takes no argument'],
    [['serve', '--watch', 'debian/12'], '--watch must be patterns of kernels'],
    [['serve', '--watch', 'debian/12/x86_64/*'], 'CORELO_WATCH has nothing to watch: no source lists its kernels. Set CORELO_PACKAGES'],
    [['inspect'], 'corelo inspect needs an OBJECT']
  ])('%j exits with 2', async (args, message) => {
    const { code, stderr, stdout } = await corelo(args)
    expect({ code, stdout: stdout.length }).toEqual({ code: 2, stdout: 0 })
    expect(stderr).toContain(message)
  })
})

describe('corelo inspect', () => {
  it('lists programs and relocations with their access and source line', async () => {
    const { code, stdout, stderr } = await corelo(['inspect', EXEC])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout.toString()).toMatch(/^exec\.bpf\.o: little-endian, 1 program, 22 relocations$/m)
    expect(stdout.toString()).toMatch(/^on_exec \(raw_tp\/sched_process_exec\): 165 instructions, 22 relocations$/m)
    expect(stdout.toString()).toMatch(/^ {2}\d+ +byte_off +cred\.uid\.val +0:0:0 +exec\.bpf\.c:\d+ /m)
  })

  it('gives the same as JSON', async () => {
    const { code, stdout } = await corelo(['inspect', '--json', '-'], { input: readFileSync(EXEC) })
    const inspection = JSON.parse(stdout.toString())
    expect(code).toBe(0)
    expect(inspection.programs).toMatchObject([{ name: 'on_exec', relocations: 22 }])
    expect(inspection.relocations).toHaveLength(22)
  })

  it('says what is wrong with a file that is no eBPF object', async () => {
    const file = join(temporaryFolder(), 'text')
    writeFileSync(file, 'no object')
    const { code, stdout, stderr } = await corelo(['inspect', file])
    expect({ code, stdout: stdout.length }).toEqual({ code: 3, stdout: 0 })
    expect(stderr).toMatch(/^corelo: .*ELF/)
  })

  it('says that its output cannot be written, with another exit code than that of a finding', async () => {
    const full = openSync('/dev/full', 'w')
    onTestFinished(() => { closeSync(full) })
    const child = spawn(process.execPath, [MAIN, 'inspect', EXEC], { stdio: ['ignore', full, 'pipe'] })
    const [stderr, [code]] = await Promise.all([text(child.stderr as Readable), once(child, 'close')])
    expect({ code, stderr }).toEqual({ code: 3, stderr: 'corelo: Standard output cannot be written: no space is left on the device.\n' })
  })

  it('does not mind a reader that stops early', async () => {
    const child = spawn(
      'sh', ['-c', '"$0" "$1" inspect --json "$2" | head -c 1', process.execPath, MAIN, EXEC], { stdio: ['ignore', 'pipe', 'pipe'] }
    )
    let stderr = ''
    child.stderr.on('data', chunk => { stderr += chunk })
    await new Promise(resolve => child.once('close', resolve))
    expect(stderr).toBe('')
  })
})

describe('corelo serve', () => {
  it('answers over HTTP, and ends with 0 on SIGTERM', async () => {
    const service = await startProcess({ CORELO_SHUTDOWN_MS: '1000' })
    expect((await fetch(`${service.url}/livez`)).status).toBe(200)
    expect(await service.stop('SIGTERM')).toBe(0)
  })

  it('says in one sentence that its port is taken, and exits with 2', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise(resolve => server.once('listening', resolve))
    const { port } = server.address() as AddressInfo
    const service = await spawnForTest({ CORELO_PORT: String(port) }, { stderr: 'pipe' })
    expect(await service.exited).toBe(2)
    server.close()
    expect(service.output()).toMatch(new RegExp(
      `^corelo: Port ${port} on 127\\.0\\.0\\.1 is in use by another process; stop that, or set CORELO_PORT\\.$`, 'm'
    ))
  })

  it.each([
    [{ CORELO_SIGNING_KEY_FILE: '/nowhere/key.pem' }, '/nowhere/key.pem'],
    [{ CORELO_AUTH: 'token' }, 'CORELO_TOKENS_FILE'],
    [{ CORELO_AUTH: 'token', CORELO_TOKENS_FILE: '/nowhere/tokens' }, '/nowhere/tokens'],
    [{ CORELO_AUTH: 'jwt', CORELO_JWKS_URL: 'https://issuer.example', CORELO_JWT_AUDIENCE: 'corelo' }, 'CORELO_JWT_ISSUER']
  ])('says in one sentence which file or setting %j lacks, and exits with 2', async (env, named) => {
    const { code, stdout, stderr } = await corelo(
      ['serve'], { env: { CORELO_PORT: '0', CORELO_LOCAL_KERNEL: 'false', CORELO_CACHE_DIR: temporaryFolder(), ...env } }
    )
    expect({ code, stdout: stdout.toString(), stderr }).toEqual({
      code: 2, stdout: '', stderr: expect.stringMatching(new RegExp(`^corelo: .*${named}.*\\n$`))
    })
  })

  it('refuses a setting that it cannot use, before anything else', async () => {
    const cache = join(temporaryFolder(), 'cache')
    const { code, stderr } = await corelo(['serve'], { env: { CORELO_PORT: 'http', CORELO_CACHE_DIR: cache } })
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('CORELO_PORT must be a whole number') })
    expect(existsSync(cache)).toBe(false)
  })
})
