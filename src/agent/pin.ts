import { execFile } from 'node:child_process'
import { readFile, rename, rm, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '../errors.js'
import { AGENT_SETTINGS } from '../settings/agent-settings.js'
import { invalidSetting } from '../settings/read.js'
import { writeDurably } from '../store/atomic-file.js'
import { errorCode } from '../store/error-code.js'
import { makeFolder } from '../store/folder.js'
import type { Sha256 } from '../store/sha256.js'
import { pinNameOf } from './objects.js'

/**
 * Loads objects into the kernel and keeps them there under a name, by bpftool:
 *
 *     DIR/exec/<program>        its programs
 *     DIR/exec/maps/<map>       its maps, for the program that reads them
 */
export interface Pins {
  /**
   * Loads an object, unless it is loaded. What was loaded for `name` before is replaced only once the new one is in the kernel.
   *
   * @returns whether it had to be loaded
   * @throws AppError `object_invalid` with what the kernel said; `invalid_request` with the setting where nothing can be pinned there
   */
  ensure(name: string, path: string, sha256: Sha256): Promise<boolean>
  /** Takes away what is pinned under `name`. */
  remove(name: string): Promise<void>
}

export interface PinsOptions {
  /** A folder in a file system of type bpf. */
  readonly folder: string
  /** Where to note what is loaded. */
  readonly stateFolder: string
  readonly bpftool?: string
}

const MAPS = 'maps'
const LOAD_TIMEOUT_MS = 60_000
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024
/** The verifier writes thousands of lines, of which the last ones say what it did not like. */
const SHOWN_LINES = 12
/** What bpftool adds to every failure. */
const ADVICE = /^Warning: bpftool is now running in libbpf strict mode|^If it used to work for this object file/
/** include/uapi/linux/magic.h */
const BPF_FS_MAGIC = 0xcafe4a11
const BOOT_ID = '/proc/sys/kernel/random/boot_id'

/** What is loaded, by pin name, and since which boot: the file outlives the kernel that it speaks of. */
interface Loaded {
  readonly boot: string
  readonly objects: Readonly<Record<string, string>>
}

export function createPins ({ folder, stateFolder, bpftool = 'bpftool' }: PinsOptions): Pins {
  const stateFile = join(stateFolder, 'loaded.json')

  const readLoaded = async (): Promise<Loaded> => {
    const boot = (await readFile(BOOT_ID, 'utf8').catch(() => '')).trim()
    const known = parseLoaded(await readFile(stateFile, 'utf8').catch(() => ''))
    return known?.boot === boot ? known : { boot, objects: {} }
  }

  const note = async (pinName: string, sha256: Sha256 | undefined): Promise<void> => {
    const { boot, objects } = await readLoaded()
    const others = Object.entries(objects).filter(([name]) => name !== pinName)
    const loaded: Loaded = { boot, objects: Object.fromEntries(sha256 === undefined ? others : [...others, [pinName, sha256]]) }
    await writeDurably(stateFile, JSON.stringify(loaded))
  }

  return {
    async ensure (name, path, sha256) {
      const pinName = pinNameOf(name)
      const pinned = join(folder, pinName)
      await openPinFolder(folder)
      const isThere = await exists(pinned)
      if (isThere && (await readLoaded()).objects[pinName] === sha256) return false
      const next = join(folder, `${pinName}__next`)
      const old = join(folder, `${pinName}__old`)
      await removePins(next)
      await removePins(old)
      try {
        await makePinsFolder(folder, join(next, MAPS))
        await load(bpftool, path, next)
      } catch (error) {
        await removePins(next)
        throw error
      }
      if (isThere) await rename(pinned, old)
      await rename(next, pinned)
      await removePins(old)
      await note(pinName, sha256)
      return true
    },
    async remove (name) {
      await removePins(join(folder, pinNameOf(name)))
      await note(pinNameOf(name), undefined)
    }
  }
}

async function load (bpftool: string, path: string, pinned: string): Promise<void> {
  const args = ['prog', 'loadall', path, pinned, 'pinmaps', join(pinned, MAPS)]
  await new Promise<void>((resolve, reject) => {
    execFile(bpftool, args, { timeout: LOAD_TIMEOUT_MS, killSignal: 'SIGKILL', maxBuffer: MAX_OUTPUT_BYTES }, (error, stdout, stderr) => {
      if (error === null) {
        resolve()
      } else if (error.code === 'ENOENT') {
        reject(invalidSetting(AGENT_SETTINGS.pin, `${bpftool} is not installed, and --pin needs it; ` +
          "use the agent's image, or leave --pin out."))
      } else {
        reject(new AppError('object_invalid', `The kernel does not load it: ${lastLines(`${stdout}\n${stderr}`) || error.message}`))
      }
    })
  })
}

/** The end of bpftool's output, where the kernel says why. */
function lastLines (output: string): string {
  return output.split('\n').map(line => line.trimEnd()).filter(line => line !== '' && !ADVICE.test(line)).slice(-SHOWN_LINES).join('\n')
}

/** bpffs takes a folder only where it is empty, and so does `rm -r` in the end. */
async function removePins (path: string): Promise<void> { await rm(path, { recursive: true, force: true }) }

/** bpftool would mount a file system of its own where there is none. */
async function openPinFolder (folder: string): Promise<void> {
  try {
    await makeFolder(folder)
    if ((await statfs(folder)).type !== BPF_FS_MAGIC) throw wrongFolder(`${folder} is in no bpf file system`)
  } catch (error) {
    if (error instanceof AppError) throw error
    throw wrongFolder(`${folder} cannot be used (${error instanceof Error ? error.message : String(error)})`)
  }
}

/** bpftool makes only the last part of a path. The error says nothing of one object: it is the same for all. */
async function makePinsFolder (folder: string, pins: string): Promise<void> {
  await makeFolder(pins).catch((error: unknown) => {
    throw wrongFolder(`${folder} takes no folders (${errorCode(error) ?? String(error)})`)
  })
}

function wrongFolder (why: string): AppError {
  return invalidSetting(AGENT_SETTINGS.pin, `${why}; --pin needs a folder in a bpf file system ` +
    'that this process may write to (mount -t bpf bpf /sys/fs/bpf).')
}

async function exists (path: string): Promise<boolean> {
  return await stat(path).then(() => true, (error: unknown) => {
    if (errorCode(error) === 'ENOENT') return false
    throw error
  })
}

function parseLoaded (text: string): Loaded | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && 'boot' in value && typeof value.boot === 'string' &&
      'objects' in value && isTexts(value.objects)
      ? { boot: value.boot, objects: value.objects }
      : undefined
  } catch {
    return undefined
  }
}

function isTexts (value: unknown): value is Record<string, string> {
  return typeof value === 'object' && value !== null && Object.values(value).every(text => typeof text === 'string')
}
