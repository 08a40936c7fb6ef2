import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { PREDICATE_MEMBERS, serializeStatement } from '../../src/attestation/statement.js'
import { ERRORS } from '../../src/errors.js'
import { renderOpenApi } from '../../src/http/print-openapi.js'
import { REASONS, WARNINGS } from '../../src/report/meanings.js'
import { sha256 } from '../../src/store/sha256.js'

const ROOT = join(import.meta.dirname, '../..')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

interface Operation {
  readonly operationId: string
  readonly summary: string
  readonly parameters?: ReadonlyArray<{ readonly name: string, readonly in: string, readonly required?: boolean }>
  readonly responses: Readonly<Record<string, {
    readonly description: string
    readonly content?: Readonly<Record<string, { readonly schema: { readonly $ref?: string } }>>
  }>>
}
interface OpenApi {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, object>> }
}

describe('docs/errors.md', () => {
  const rows = [...read('docs/errors.md').matchAll(/^\| `(\w+)` \| (\d{3}) \| (.+) \| (.+) \|$/gm)]

  it('has a row for every code, with its status, and for no other', () => {
    const listed = rows.map(([, code, status]) => `${code} ${status}`)
    const existing = Object.entries(ERRORS).map(([code, { status }]) => `${code} ${status}`)
    expect(listed.toSorted()).toEqual(existing.toSorted())
  })

  it('says when each code comes and what to do', () => {
    for (const [, code, , when = '', what = ''] of rows) {
      expect(when.trim(), code).toMatch(/^[A-Z`].{15,}\.$/)
      expect(what.trim(), code).toMatch(/^[A-Z`].{5,}\.$/)
    }
  })

  it('is where the README points for the codes', () => {
    expect(read('README.md')).toContain('(docs/errors.md)')
  })
})

describe('docs/reasons.md', () => {
  const rows = [...read('docs/reasons.md').matchAll(/^\| `(\w+)` \| (.+) \|$/gm)]

  it('has a sentence for every reason and every warning', () => {
    expect(rows.map(([, name]) => name).toSorted()).toEqual([...Object.keys(REASONS), ...Object.keys(WARNINGS)].toSorted())
    for (const [, name, meaning] of rows) expect(meaning, name).toMatch(/^[A-Z`l].{15,}\.$/)
  })
})

describe('docs/attestation.md', () => {
  it('describes every member of the predicate that is signed, and no other', () => {
    const hash = sha256('')
    const statement = JSON.parse(serializeStatement({
      resultSha256: hash,
      objectSha256: hash,
      btfSha256: hash,
      moduleSha256s: [],
      kernel: null,
      engine: { name: 'corelo', version: '1', semantics: 'libbpf 1.8' },
      findings: { verdict: 'loads', assumes: [], counts: { resolved: 0, absent: 0, poisoned: 0 } }
    })) as { readonly predicate: object }
    expect(Object.keys(PREDICATE_MEMBERS)).toEqual(Object.keys(statement.predicate))
    for (const name of Object.keys(PREDICATE_MEMBERS)) expect(read('docs/attestation.md')).toContain(`| \`${name}\` |`)
  })
})

describe('docs/openapi.json', () => {
  const committed = read('docs/openapi.json')
  const document = JSON.parse(committed) as OpenApi
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, operation })))

  it('is what the routes say (npm run openapi writes it anew)', async () => {
    expect(committed).toBe(await renderOpenApi())
  })

  it('is OpenAPI 3.1 with components that have names', () => {
    expect(document.openapi).toBe('3.1.0')
    expect(Object.keys(document.components.schemas).toSorted()).toEqual([
      'CheckAnswer', 'CheckFailure', 'CheckForm', 'CheckGroup', 'CheckRow', 'CheckSummary', 'CheckWarning', 'Envelope', 'FoundType',
      'HistoryRange', 'Jwks', 'Kernel', 'KernelPage', 'KernelTypes',
      'Member', 'MemberDifference', 'MemberPlace', 'MinBtfForm', 'ObjectTypes', 'OfferedKernel', 'Problem', 'Program', 'RelocateForm',
      'Relocation', 'Report', 'State', 'StoredObject',
      'TypeDifference', 'TypeHistory', 'TypeSearch', 'TypesDiff'
    ])
  })

  it('refers to nothing that it does not have', () => {
    const references = [...committed.matchAll(/"\$ref": "([^"]+)"/g)].map(([, reference]) => reference)
    const known = Object.keys(document.components.schemas).map(name => `#/components/schemas/${name}`)
    expect(references.length).toBeGreaterThan(20)
    expect(references.filter(reference => !known.includes(reference ?? ''))).toEqual([])
  })

  it('has every route', () => {
    const kernel = '/kernels/{distro}/{version}/{arch}/{release}'
    expect(operations.map(({ name }) => name).toSorted()).toEqual([
      'POST /check', 'POST /relocate', 'POST /min-btf', 'GET /relocated/{object}/{btf}', 'GET /.well-known/corelo-keys.json',
      'HEAD /objects/{hash}', 'PUT /objects/{hash}', 'GET /objects/{hash}/types/{kind}/{name}', 'HEAD /btf/{hash}', 'GET /btf/{hash}',
      'GET /kernels', `GET ${kernel}`, `GET ${kernel}/btf`, `PUT ${kernel}/btf`, `GET ${kernel}/btf/{module}`,
      `PUT ${kernel}/btf/{module}`, `GET ${kernel}/vmlinux.h`, `GET ${kernel}/types`, `GET ${kernel}/types/{kind}/{name}`,
      'GET /types/diff', 'GET /types/history',
      'GET /', 'GET /livez', 'GET /readyz', 'GET /metrics', 'GET /openapi.json'
    ].toSorted())
  })

  it('asks for nothing that may be left out: a form needs its object, and a query about types says which', () => {
    expect(document.components.schemas.RelocateForm).toMatchObject({ required: ['object'] })
    const needed = operations.flatMap(({ name, operation }) =>
      (operation.parameters ?? []).filter(field => field.in !== 'path' && field.required === true).map(field => `${name} ${field.name}`))
    expect(needed).toEqual(['GET /types/diff from', 'GET /types/diff to', 'GET /types/diff type', 'GET /types/history type'])
  })

  it('names each operation once and says what it does', () => {
    expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(operations.length)
    for (const { name, operation } of operations) expect(operation.summary, name).toMatch(/\.$/)
  })

  it('says of every error of a route that it is a problem, and which codes it has', () => {
    for (const { name, operation } of operations) {
      const errors = Object.entries(operation.responses).filter(([status]) => Number(status) >= 400)
      expect(errors.map(([status]) => status), name).toEqual(expect.arrayContaining(['400', '500', '503']))
      for (const [status, { description, content }] of errors) {
        expect(content, `${name} ${status}`).toEqual({ 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } })
        const codes = [...description.matchAll(/`(\w+)`/g)].map(([, code]) => code ?? '')
        expect(codes.length, `${name} ${status}`).toBeGreaterThan(0)
        for (const code of codes) expect(ERRORS, name).toHaveProperty([code, 'status'], Number(status))
      }
    }
  })

  it('says which codes a relocation can meet', () => {
    const relocate = operations.find(({ name }) => name === 'POST /relocate')?.operation
    const described = Object.values(relocate?.responses ?? {}).map(({ description }) => description).join(' ')
    for (const code of [
      'invalid_request', 'kernel_unknown', 'kernel_ambiguous', 'object_unknown', 'btf_unknown', 'too_large', 'unsupported_media_type',
      'not_acceptable', 'object_invalid', 'btf_invalid', 'relocation_failed', 'unresolved_reachable', 'deadline_exceeded', 'overloaded',
      'draining'
    ]) {
      expect(described).toContain(`\`${code}\``)
    }
  })
})
