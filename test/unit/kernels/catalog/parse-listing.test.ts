import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { AppError } from '../../../../src/errors.js'
import { LISTING_LIMITS, parseListing } from '../../../../src/kernels/catalog/parse-listing.js'
import { isSegment } from '../../../../src/identity/reference.js'
import { refusal } from '../../../support/scenario.js'

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const parse = (text: string) => parseListing(bytesOf(text))

/** As they stand in the tree of aquasecurity/btfhub-archive, junk included. */
const REAL = [
  '.gitignore',
  'README.md',
  '1/x86_64/4.14.97-74.72.amzn1.x86_64.btf.tar.xz',
  'amzn/2/arm64/4.14.101-91.76.amzn2.aarch64.btf.tar.xz',
  'centos/7/nobpf/x86_64/3.10.0-123.13.1.el7.btf.tar.xz',
  'sles/12.3/x86_64/4.4.103-6.33-default.btf.tar.xz',
  'ubuntu/20.04/x86_64/5.4.0-100-generic.btf.tar.xz'
]
const KERNELS = REAL.filter(path => path.startsWith('amzn') || path.startsWith('sles') || path.startsWith('ubuntu'))

describe('a listing', () => {
  it('is a path a line, with comments, in any order, with what find puts before it', () => {
    expect(parse(`# of 2026-11-22\n\n${[...REAL].reverse().join('\r\n')}\n./${KERNELS[0] ?? ''}\n`)).toEqual({
      paths: KERNELS, passedOver: 4
    })
  })

  it("is the manifest of BTFHub's tools, whose releases are those of the package archives", () => {
    const manifest = [
      { distro: 'ubuntu', release: 'focal', arch: 'x86_64', name_of_file: '5.4.0-100-generic' },
      { distro: 'debian', release: 'bullseye', arch: 'arm64', name_of_file: '5.10.0-9-arm64' },
      { distro: 'centos', release: '7', arch: 'x86_64', name_of_file: '3.10.0-1160.49.1.el7.x86_64' },
      { distro: 'centos', release: '7', arch: '../..', name_of_file: 'etc' }, { distro: 1 }
    ]
    expect(parse(`${manifest.map(entry => JSON.stringify(entry)).join('\n')}\nnot json\n`)).toEqual({
      paths: [
        'centos/7/x86_64/3.10.0-1160.49.1.el7.x86_64.btf.tar.xz', 'debian/bullseye/arm64/5.10.0-9-arm64.btf.tar.xz',
        'ubuntu/20.04/x86_64/5.4.0-100-generic.btf.tar.xz'
      ],
      passedOver: 3
    })
  })

  it.each([undefined, 2])("is a tree of GitHub's API, without its folders and symbolic links (indented by %s)", indent => {
    const tree = [
      ...REAL.map(path => ({ path, mode: '100644', type: 'blob', sha: '0' })),
      { path: 'ubuntu/20.04/x86_64', mode: '040000', type: 'tree' },
      { path: 'ubuntu/focal/x86_64/5.4.0-100-generic.btf.tar.xz', mode: '120000', type: 'blob' },
      null, 'x', { type: 'blob', path: 7 }
    ]
    expect(parse(JSON.stringify({ sha: '0', tree, truncated: false }, undefined, indent)).paths).toEqual(KERNELS)
  })

  it('that GitHub cut short is refused, since kernels would seem to be missing', () => {
    expect(refusal('source_invalid', () => parse(JSON.stringify({ tree: [{ path: KERNELS[0] }], truncated: true }))).message).toMatch(
      /cut short/
    )
  })

  it.each([
    '', '\n\n# nothing\n', '<!DOCTYPE html><html>404</html>', '{', '{"message":"Not Found"}', '{"tree":{}}', '{"tree":[]}', '[]', 'null',
    'README.md\n', '\0\0\0', `${'['.repeat(100_000)}`, `{"tree":${'['.repeat(100_000)}`
  ])('is not %j', text => {
    refusal('source_invalid', () => parse(text))
  })

  it.each([
    '/etc/20.04/x86_64/passwd', '../20.04/x86_64/a', 'ubuntu/../x86_64/a', 'ubuntu/./x86_64/a', 'ubuntu//x86_64/a',
    'ubuntu/20.04/x86_64/..', 'ubuntu/20.04/x86_64/', 'ubuntu/20.04/x86_64/a b',
    'ubuntu/20.04/x86_64/a\0', 'ubuntu/20.04/x86_64/a%2f', 'ubuntu\\20.04\\x86_64\\a', `ubuntu/20.04/x86_64/${'a'.repeat(129)}`,
    'ubuntu/20.04/x86_64/é', 'C:/20.04/x86_64/a'
  ])('passes over %j', text => {
    expect(parse(`${text}.btf.tar.xz\n${KERNELS[0] ?? ''}`)).toEqual({ paths: [KERNELS[0]], passedOver: 1 })
  })

  it('has bounds', () => {
    refusal('source_invalid', () => parseListing(new Uint8Array(LISTING_LIMITS.bytes + 1)))
    const many = Array.from({ length: LISTING_LIMITS.kernels + 1 }, (_, i) => `ubuntu/20.04/x86_64/5.4.0-${i}-generic.btf.tar.xz`)
    refusal('source_invalid', () => parse(many.join('\n')))
    expect(parse(many.slice(1).join('\n')).paths).toHaveLength(LISTING_LIMITS.kernels)
  })

  it('of any bytes gives safe paths or an error of ours', () => {
    const piece = fc.oneof(fc.constantFrom(
      '/', '..', '.btf.tar.xz', '\n', 'ubuntu', '20.04', 'x86_64', '{"tree":[{"path":"', '"}]}', '{"distro":"', '","release":"'
    ), fc.string())
    fc.assert(fc.property(fc.array(piece, { maxLength: 30 }).map(parts => parts.join('')), text => {
      try {
        for (const path of parse(text).paths) {
          expect(path.endsWith('.btf.tar.xz')).toBe(true)
          expect(path.slice(0, -'.btf.tar.xz'.length).split('/').map(isSegment)).toEqual([true, true, true, true])
        }
      } catch (error) {
        if (!(error instanceof AppError)) throw error
        expect(error.code).toBe('source_invalid')
      }
    }), { numRuns: 2000 })
  })
})
