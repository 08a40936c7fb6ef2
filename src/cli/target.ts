import { release } from 'node:os'
import { AppError } from '../errors.js'
import { formatQuery, formatReference, isWholeReference, parseQuery, type KernelQuery } from '../identity/reference.js'
import { findRunningKernel, KERNEL_BTF_DIR, listRunningModules, nameOfRunning, type RunningKernel } from '../identity/running-kernel.js'
import { readSettings, type Environment } from '../settings/read.js'
import { SERVICE_SETTINGS } from '../settings/service-settings.js'
import type { Arguments } from './arguments.js'
import { readBtfFiles, readInput } from './files.js'
import { warnOfMisspelt } from './misspelt-settings.js'
import type { NamedBtf, Places, TargetBtf, TargetRequest } from './target-request.js'

/**
 * The places that the service's settings name, so that both find the same kernels.
 *
 * @throws AppError `invalid_request` whose sentence names the setting at fault
 */
export function placesFrom (env: Environment): Places {
  warnOfMisspelt(env)
  const { cacheDir, trustUploads, hostRoot } = SERVICE_SETTINGS
  return { kernelBtfDir: KERNEL_BTF_DIR, hostRoot: undefined, ...readSettings({ cacheDir, trustUploads, hostRoot }, env) }
}

/** The same, where `--cache-dir` may name another cache. @throws AppError `invalid_request` */
export function placesOf (options: Pick<Arguments, 'get'>): Places {
  const places = placesFrom(process.env)
  return { ...places, cacheDir: options.get('cache-dir') ?? places.cacheDir }
}

/**
 * Finds the one BTF that the command line means. Never a guess: a bare release that stands for different BTF is refused.
 *
 * @throws AppError `kernel_unknown`, `kernel_ambiguous`, `btf_unknown`, `not_found`, `invalid_request`
 */
export async function findTarget (request: TargetRequest, places: Places): Promise<TargetBtf> {
  const [vmlinux, ...modules] = await readBtfFiles(request.btf)
  if (vmlinux !== undefined) {
    return {
      kernel: request.btfRelease === undefined ? null : formatQuery(parseQuery({ kernelRelease: request.btfRelease })),
      source: 'request',
      vmlinux,
      modules
    }
  }
  const running = await findRunningKernel(places)
  if (request.kernel === undefined) {
    if (running === undefined) {
      throw new AppError('kernel_unknown',
        `The running kernel (${release()}) shows no BTF in ${places.kernelBtfDir}; ` +
        'name another kernel with --kernel REF, or give its BTF with --btf FILE.')
    }
    return await readRunning(running, request.modules, places)
  }
  const query = parseQuery({ kernelRelease: request.kernel })
  const isRunning = running !== undefined && isMeant(query, running)
  if (isRunning && isWholeReference(query)) return await readRunning(running, request.modules, places)
  const { readCached, requireSameInCache } = await import('./cached-kernel.js') // what few need must not cost all a slower start
  if (!isRunning) return await readCached(query, request.modules, places)
  const target = await readRunning(running, request.modules, places)
  await requireSameInCache(query, target, places)
  return target
}

function isMeant (query: KernelQuery, running: RunningKernel): boolean {
  return isWholeReference(query) ? formatReference(query) === nameOfRunning(running) : query.release === running.release
}

async function readRunning (running: RunningKernel, modules: readonly string[], places: Places): Promise<TargetBtf> {
  const known = modules.length === 0 ? [] : await listRunningModules(places.kernelBtfDir)
  const kernel = nameOfRunning(running)
  const missing = modules.find(name => !known.some(module => module.name === name))
  if (missing !== undefined) {
    throw new AppError('btf_unknown',
      `The running kernel shows no BTF for module ${missing}; load the module, or leave it out.`, { kernel, module: missing })
  }
  return {
    kernel,
    source: 'local',
    buildId: running.buildId,
    vmlinux: readBtf(running.btfPath),
    modules: known.filter(({ name }) => modules.includes(name)).map(({ btfPath }) => readBtf(btfPath))
  }
}

function readBtf (path: string): NamedBtf { return { name: path, bytes: readInput(path, 'BTF file') } }
