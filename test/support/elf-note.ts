import { ByteWriter, concat } from './byte-writer.js'

/** As `struct elf_note` has it: sizes of name and content, type, and both, each filled up to four bytes. */
export function elfNote (name: string, type: number, content: Uint8Array, byteOrder: 'little' | 'big' = 'little'): Uint8Array {
  const text = new TextEncoder().encode(`${name}\0`)
  const fill = (length: number) => new Uint8Array((4 - length % 4) % 4)
  return concat(
    new ByteWriter(byteOrder).u32(text.length).u32(content.length).u32(type).finish(), text, fill(text.length), content,
    fill(content.length)
  )
}

/** A note of the linker's, with a build-id in hex. */
export function buildIdNote (hex: string, byteOrder: 'little' | 'big' = 'little'): Uint8Array {
  return elfNote('GNU', 3, Buffer.from(hex, 'hex'), byteOrder)
}
