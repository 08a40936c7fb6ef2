import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { sha256 } from '../../src/store/sha256.js'
import { cleanUpAfterAll, DEAD_ADDRESS, REFERENCE, startService } from '../agent/support.js'
import { corelo, coreloText, EXEC, removeFoldersAfterEach, SAMPLE, temporaryFolder, UNGUARDED } from './corelo.js'

removeFoldersAfterEach()
const cleanup = cleanUpAfterAll()

describe('corelo btf min', () => {
  it('makes a BTF for which objects become what they become for the whole one', async () => {
    const folder = temporaryFolder()
    const [small, whole, mini] = [join(folder, 'min.btf'), join(folder, 'whole.o'), join(folder, 'min.o')]
    const { code, stderr } = await corelo(['btf', 'min', EXEC, UNGUARDED, '--btf', SAMPLE, '-o', small])
    expect(stderr).toMatch(/^\d+ bytes of BTF of .*sample\.btf, for 2 objects$/m)
    expect(code).toBe(0)
    for (const object of [EXEC, UNGUARDED]) {
      await corelo(['relocate', object, '--btf', SAMPLE, '-o', whole])
      await corelo(['relocate', object, '--btf', small, '-o', mini])
      expect(readFileSync(mini)).toEqual(readFileSync(whole))
    }
  })

  it('says what it made as JSON', async () => {
    const small = join(temporaryFolder(), 'min.btf')
    const { code, stdout } = await coreloText(['btf', 'min', EXEC, '--btf', SAMPLE, '-o', small, '--json'])
    const made = readFileSync(small)
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toEqual({ kernel: expect.stringContaining('sample.btf'), bytes: made.length, sha256: sha256(made) })
    expect(await corelo(['btf', 'min', EXEC, '--btf', SAMPLE, '-o', '-', '--json'])).toMatchObject({ code: 2 })
  })

  it('makes the same by a service', async () => {
    const service = await startService(cleanup)
    const folder = temporaryFolder()
    const [here, there] = [join(folder, 'here.btf'), join(folder, 'there.btf')]
    await corelo(['btf', 'min', EXEC, '--btf', SAMPLE, '-o', here])
    const { code, stderr } = await coreloText(['btf', 'min', EXEC, '--kernel', REFERENCE, '--server', service.url, '-o', there])
    expect(stderr).toContain(`bytes of BTF of ${REFERENCE}, for 1 object`)
    expect(code).toBe(0)
    expect(readFileSync(there)).toEqual(readFileSync(here))
  })

  it('names every object and every BTF file that cannot be read', async () => {
    const out = join(temporaryFolder(), 'min.btf')
    for (const there of [[], ['--server', DEAD_ADDRESS]]) {
      const objects = await corelo(['btf', 'min', '/no/a.o', EXEC, '/no/b.o', '--btf', SAMPLE, '-o', out, ...there])
      expect(objects).toMatchObject({ code: 3, stderr: expect.stringMatching(/^corelo: 2 objects cannot be read:\n.*a\.o.*\n.*b\.o.*\n$/) })
      const files = await corelo(['btf', 'min', EXEC, '--btf', '/no/vmlinux', '--btf', '/no/xfs', '--btf', EXEC, '-o', out, ...there])
      expect(files.code).toBe(3)
      expect(files.stderr).toMatch(/^corelo: 3 BTF files cannot be read:\n.*\/no\/vmlinux.*\n.*\/no\/xfs.*\n.*exec\.bpf\.o: .*\n$/)
    }
    const broken = await corelo(['btf', 'min', SAMPLE, EXEC, '/no/a.o', '--btf', SAMPLE, '-o', out])
    expect(broken.stderr).toMatch(/^corelo: 2 objects cannot be read:\n.*sample\.btf: .*ELF.*\n.*a\.o.*\n$/)
  })

  it('says what is wrong with its arguments', async () => {
    expect(await corelo(['btf', 'min', EXEC])).toMatchObject({ code: 2, stderr: expect.stringContaining('Say where the BTF goes') })
    expect(await corelo(['btf', 'min', EXEC, '-o', '-', '--btf', SAMPLE, '--modules', 'xfs'])).toMatchObject({
      code: 2, stderr: expect.stringContaining('further --btf FILE')
    })
    expect(await corelo(['btf', 'min', SAMPLE, '-o', '-', '--btf', SAMPLE])).toMatchObject({
      code: 3, stderr: expect.stringContaining('sample.btf')
    })
  })
})
