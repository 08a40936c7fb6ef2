import { writeHtml } from './html.js'
import { writeJson, writeNdjson } from './json.js'
import { writeJunit } from './junit.js'
import { writeSarif } from './sarif.js'
import type { Writer } from './writer.js'

/** The forms of an answer by their media types; the first is the default. */
export const FORMATS = {
  'application/json': writeJson,
  'application/x-ndjson': writeNdjson,
  'application/xml': writeJunit,
  'application/sarif+json': writeSarif,
  'text/html': writeHtml
} as const satisfies Record<string, Writer>

export type FormatType = keyof typeof FORMATS

export { PAGE_POLICY } from './html.js'
