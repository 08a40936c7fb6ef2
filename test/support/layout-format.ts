import { hash } from 'node:crypto'
import type { LayoutFormat } from '../../src/layout/index.js'
import { pathsBehindPointers } from '../../src/members/renames.js'

/** As the service makes layout tables. */
export const FORMAT: LayoutFormat = { hash: bytes => hash('sha256', bytes, 'binary'), followed: pathsBehindPointers() }

/** What a table is said to be of, where it does not matter. */
export const CONTENT = '0123456789abcdef0123456789abcdef'
