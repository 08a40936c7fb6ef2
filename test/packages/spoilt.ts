import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Service } from '../../src/service/types.js'
import { serveFiles, type RepositoryServer } from './repositories.js'

/** Serves copies of a good repository, one after the other, each of which a test may spoil. */
export interface SpoiltCopies {
  /** Ends the service and the server of the copy before. */
  serve (spoil?: (root: string, url: string) => void): Promise<Copy>
  /** Starts a service, which is ended with its copy. The one before is ended first, so that no two run beside each other. */
  use (start: () => Promise<Service>): Promise<Service>
  stop (): Promise<void>
}

export interface Copy {
  /** Its number, for what else a test makes of it. */
  readonly serial: number
  readonly root: string
  readonly server: RepositoryServer
}

export function serveCopies (good: string, scratch: string): SpoiltCopies {
  let serial = 0
  let service: Service | undefined
  let server: RepositoryServer | undefined
  const copies: SpoiltCopies = {
    async serve (spoil = () => {}) {
      await copies.stop()
      const root = join(scratch, `www-${++serial}`)
      cpSync(good, root, { recursive: true })
      server = await serveFiles(root)
      spoil(root, server.url)
      return { serial, root, server }
    },
    async use (start) {
      await service?.close()
      service = undefined
      service = await start()
      return service
    },
    async stop () {
      await service?.close()
      await server?.close()
      service = undefined
      server = undefined
    }
  }
  return copies
}

/** The releases of the kernels that a service holds. */
export async function heldBy (service: Service): Promise<string[]> {
  const { kernels } = await service.listKernels({ limit: 100 })
  return kernels.filter(({ state }) => state === 'held').map(({ reference }) => reference.release)
}

/** Redirects requests for the paths that are moved to their new locations. */
export function redirect (server: RepositoryServer, isMoved: (path: string) => boolean, location: (path: string) => string): void {
  server.intercept = (_request, response, path) => {
    if (!isMoved(path)) return false
    response.writeHead(302, { location: location(path) }).end()
    return true
  }
}

export function flipBit (path: string): void {
  const bytes = readFileSync(path)
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 100) ^ 1, bytes.length - 100)
  writeFileSync(path, bytes)
}

export function cutOff (path: string, bytes: number): void { writeFileSync(path, readFileSync(path).subarray(0, bytes)) }

export function enlarge (path: string): void { writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.alloc(1000)])) }
