import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** Why no file system can be mounted here; undefined where one can. */
export const mountRefusal: string | undefined = findRefusal()

function findRefusal (): string | undefined {
  if (process.getuid?.() !== 0) return 'mounting needs root'
  try {
    unmount(mount('1m'))
    return undefined
  } catch (error) {
    return `mounting is not allowed here: ${String(error)}`
  }
}

function mount (size: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'corelo-tmpfs-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'corelo-test', folder], { stdio: 'pipe' })
  return folder
}

function unmount (folder: string): void {
  execFileSync('umount', ['--lazy', folder], { stdio: 'pipe' })
  rmdirSync(folder)
}

/** A small file system of its own, gone after the test. */
export function smallDisk (size: string): string {
  const folder = mount(size)
  onTestFinished(() => { unmount(folder) })
  return folder
}

/** Makes it read-only, or writable again. */
export function remount (folder: string, mode: 'ro' | 'rw'): void {
  execFileSync('mount', ['-o', `remount,${mode}`, folder], { stdio: 'pipe' })
}
