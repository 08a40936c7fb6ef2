import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { AppError } from '../errors.js'
import { errorCode } from '../store/error-code.js'

const run = promisify(execFile)

/** A vmlinux of today takes a minute. */
const TIMEOUT_MS = 1_800_000
const MAX_OUTPUT_BYTES = 1024 * 1024

/**
 * Has pahole make BTF of a vmlinux's DWARF, as the kernel's own build does.
 *
 * @throws AppError `btf_invalid` whose sentence says what to do where pahole is missing, too old or fails
 */
export async function encodeDwarf (image: Uint8Array): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), 'corelo-pahole-'))
  try {
    const [input, output] = [join(folder, 'vmlinux'), join(folder, 'vmlinux.btf')]
    await requirePahole()
    await writeFile(input, image)
    await run('pahole', [`--btf_encode_detached=${output}`, input], { timeout: TIMEOUT_MS, maxBuffer: MAX_OUTPUT_BYTES })
    return await readFile(output)
  } catch (error) {
    if (error instanceof AppError) throw error
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim().split('\n', 1)[0] : ''
    throw new AppError('btf_invalid',
      `The vmlinux has DWARF and no BTF, and pahole could not make BTF of it${said === '' ? '' : ` (${said})`}; ` +
      'version 1.22 or newer is needed.',
      {}, { cause: error })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function requirePahole (): Promise<void> {
  try {
    await run('pahole', ['--version'])
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error
    throw new AppError('btf_invalid', 'The vmlinux has DWARF and no BTF. ' +
      'BTF can be made of it by pahole (package pahole or dwarves), which is not installed here.')
  }
}
