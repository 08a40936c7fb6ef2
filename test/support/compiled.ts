import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const FOLDER = join(import.meta.dirname, '../fixtures/reasons')

/** Path of a compiled program of test/fixtures/reasons. */
export function compiledObject (name: string): string { return join(FOLDER, `${name}.bpf.o`) }

/** Path of the kernel's BTF that it meets there. */
export function compiledKernel (name: string): string { return join(FOLDER, `${name}.btf`) }

/** A copy, since the memory of what Node reads may be larger than the file. */
export function bytesOf (path: string): Uint8Array { return new Uint8Array(readFileSync(path)) }
