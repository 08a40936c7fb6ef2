import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { corelo, removeFoldersAfterEach, ROOT, temporaryFolder } from './corelo.js'

removeFoldersAfterEach()

const SHAPES = join(ROOT, 'test/fixtures/c-types/shapes.btf')
const types = async (...args: string[]) => await corelo(['btf', 'types', ...args, '--btf', SHAPES])

describe('corelo btf types', () => {
  it('prints a type with the places of its members', async () => {
    expect(await types('struct list')).toMatchObject({
      code: 0,
      stderr: '',
      stdout: Buffer.from(
        'struct list {\n\tstruct list *next; /* 0 */\n\tstruct list *prev; /* 8 */\n}; /* 16 bytes */\n'
      )
    })
    expect((await types('handler_t')).stdout.toString()).toBe(
      'typedef int (*handler_t)(const struct only_declared *, u32, ...); /* 8 bytes */\n'
    )
    expect(JSON.parse((await types('enum small', '--json')).stdout.toString())).toMatchObject([{ kind: 'enum', name: 'small', size: 1 }])
  })

  it('writes all of them as a header', async () => {
    const out = join(temporaryFolder(), 'vmlinux.h')
    expect(await types('-o', out)).toMatchObject({ code: 0, stdout: Buffer.from('') })
    expect(readFileSync(out, 'utf8')).toMatch(
      /^#ifndef __VMLINUX_H__\n[^]*\nstruct list \{\n\tstruct list \*next;\n\tstruct list \*prev;\n\};\n/
    )
  })

  it('asks whether a name that is near was meant, of the kind that was asked for or of another', async () => {
    for (const [wanted, meant] of [['struct liist', 'struct list'], ['handlr_t', 'handler_t'], ['lisst', 'struct list']] as const) {
      expect(await types(wanted)).toMatchObject({ code: 3, stderr: expect.stringContaining(`Did you mean ${meant}?`) })
    }
    expect((await types('struct nobody_has_this')).stderr).not.toContain('Did you mean')
  })

  it('says what is wrong', async () => {
    expect(await types('struct handler_t')).toMatchObject({
      code: 3, stderr: expect.stringContaining('shapes.btf has no struct handler_t. It has typedef handler_t.')
    })
    expect(await types('struct a b')).toMatchObject({ code: 2, stderr: expect.stringContaining('"struct a b" is no type') })
    expect(await types('--json')).toMatchObject({ code: 2, stderr: expect.stringContaining('say which') })
  })
})
