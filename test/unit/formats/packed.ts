import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** A file that test/fixtures/extraction/build.sh made. */
export function packed (name: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(fileURLToPath(new URL(`../../fixtures/extraction/packed/${name}`, import.meta.url))))
}
