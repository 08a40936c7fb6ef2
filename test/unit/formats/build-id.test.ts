import { describe, expect, it } from 'vitest'
import { parseSections } from '../../../src/elf/sections.js'
import { readBuildId, scanForBuildId } from '../../../src/formats/images/build-id.js'
import { concat } from '../../support/byte-writer.js'
import { buildIdNote as buildId, elfNote as note } from '../../support/elf-note.js'
import { elf } from '../../support/elf-writer.js'

const KERNEL_ID = '6a2b4ac77585b8cf102cba771300e573c8489b69'
const VDSO_ID = 'ffffffffffffffffffffffffffffffffffffffff'

/** An ELF file of one segment, its notes, as a vDSO is. */
function vdso (notes: Uint8Array): Uint8Array {
  const file = new Uint8Array(64 + 56 + notes.length)
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1])
  const view = new DataView(file.buffer)
  view.setUint32(32, 64, true)
  view.setUint16(54, 56, true)
  view.setUint16(56, 1, true)
  view.setUint32(64, 4, true)
  view.setUint32(64 + 8, 120, true)
  view.setUint32(64 + 32, notes.length, true)
  file.set(notes, 120)
  return file
}

describe('the build-id of a kernel', () => {
  it('is that of its own note section, and not that of a vDSO in its data', () => {
    const data = vdso(buildId(VDSO_ID))
    const notes = concat(note('Xen', 6, Buffer.from('linux\0')), buildId(KERNEL_ID), note('Linux', 0x100, Buffer.from('salt\0')))
    const file = elf({ machine: 62, sections: [{ name: '.rodata', data }, { name: '.notes', type: 7, data: notes }] }).bytes
    expect(readBuildId(parseSections(file))).toBe(KERNEL_ID)
  })

  it('is none where only its vDSO has one', () => {
    expect(
      readBuildId(parseSections(elf({ machine: 62, sections: [{ name: '.rodata', data: vdso(buildId(VDSO_ID)) }] }).bytes))
    ).toBeUndefined()
  })

  it('is found in an image without ELF headers, between those of its vDSOs', () => {
    const image = concat(
      new Uint8Array(64), vdso(buildId(VDSO_ID)), new Uint8Array(8), buildId(KERNEL_ID), new Uint8Array(12),
      vdso(buildId(VDSO_ID.replaceAll('f', 'e')))
    )
    expect(scanForBuildId(image)).toBe(KERNEL_ID)
    expect(scanForBuildId(concat(image, buildId(VDSO_ID)))).toBeUndefined()
    expect(scanForBuildId(new Uint8Array(4096))).toBeUndefined()
  })

  it('is found in big-endian images', () => {
    expect(scanForBuildId(concat(new Uint8Array(16), buildId(KERNEL_ID, 'big')))).toBe(KERNEL_ID)
  })

  it('is none where the note is damaged', () => {
    const whole = buildId(KERNEL_ID)
    for (let length = 0; length < whole.length; length++) expect(scanForBuildId(whole.subarray(0, length))).toBeUndefined()
  })
})
