import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { emptyBtf, fooBtf, fooObject, startService, temporaryFolder } from '../unit/service/lab.js'
import { form, problemOf, startAppWith } from './harness.js'

const RELEASE = '3.10.0-1160.49.1.el7.x86_64'
const CENTOS = `centos/7/x86_64/${RELEASE}`
const RHEL = `rhel/7/x86_64/${RELEASE}`

/** The service over a socket, which has heard of these kernels. */
async function lab (offered: readonly string[] = []) {
  const catalog = join(await temporaryFolder(), 'list.txt')
  await writeFile(catalog, offered.map(name => `${name}.btf.tar.xz\n`).join(''))
  const { request } = await startAppWith(await startService(await temporaryFolder(), offered.length === 0 ? {} : { catalog }))
  return {
    request,
    async supply (reference: string, body: Uint8Array): Promise<string> {
      const response = await request(
        `/kernels/${reference}/btf`, { method: 'PUT', body, headers: { 'content-type': 'application/octet-stream' } }
      )
      expect(response.status).toBe(201)
      return (await response.json() as { btf_sha256: string }).btf_sha256
    },
    relocate: async (parts: Record<string, string>) =>
      await request('/relocate', { method: 'POST', body: form({ object: fooObject(), ...parts }) })
  }
}

describe('a kernel whose build-id is known', () => {
  it('settles the kernel by it, and has it in its report', async () => {
    const { request, relocate } = await lab()
    const buildId = '24a3598fd700114d0a1b1a4871badcee75d0acac'
    const put = await request(
      `/kernels/${CENTOS}/btf?kernel_build_id=${buildId}`,
      { method: 'PUT', body: fooBtf(1), headers: { 'content-type': 'application/octet-stream' } }
    )
    expect(put.status).toBe(201)
    for (const parts of [{ kernel_build_id: buildId }, { kernel_release: CENTOS }]) {
      const answer = await request(
        '/relocate', { method: 'POST', body: form({ object: fooObject(), ...parts }), headers: { accept: 'application/json' } }
      )
      expect([answer.status, await answer.json()]).toMatchObject([200, { kernel: { reference: CENTOS, build_id: buildId } }])
    }
    expect((await relocate({ kernel_release: RHEL, kernel_build_id: buildId })).status).toBe(409)
  })
})

describe('a bare release that two distributions share', () => {
  it('is refused with both named, and one of them is enough to go on', async () => {
    const { supply, relocate } = await lab()
    const centos = await supply(CENTOS, fooBtf(1))
    const rhel = await supply(RHEL, fooBtf(2))
    const refused = await relocate({ kernel_release: RELEASE })
    expect([refused.status, await problemOf(refused)]).toMatchObject([409, {
      code: 'kernel_ambiguous',
      detail: expect.stringContaining('2 different BTFs'),
      candidates: [{ reference: CENTOS, btf_sha256: centos, source: 'upload' }, { reference: RHEL, btf_sha256: rhel, source: 'upload' }]
    }])
    for (const parts of [
      { kernel_release: RHEL }, { kernel_release: RELEASE, distro: 'rhel' }, { kernel_release: `rhel/7.9/x86_64/${RELEASE}` },
      { btf_sha256: rhel }
    ]) {
      expect((await relocate(parts)).headers.get('corelo-btf')).toBe(rhel)
    }
  })

  it('is one kernel where they have the same content', async () => {
    const { supply, relocate } = await lab()
    const hash = await supply(CENTOS, fooBtf())
    await supply(RHEL, fooBtf())
    const response = await relocate({ kernel_release: RELEASE })
    expect([response.status, response.headers.get('corelo-kernel'), response.headers.get('corelo-btf')]).toEqual([200, RELEASE, hash])
  })
})

describe('a kernel by a whole reference', () => {
  it('is called as it was asked for, its architecture apart', async () => {
    const { supply, relocate } = await lab()
    await supply(`debian/bullseye/x86_64/${RELEASE}`, fooBtf())
    expect((await relocate({ kernel_release: `debian/11/amd64/${RELEASE}` })).headers.get('corelo-kernel')).toBe(
      `debian/11/x86_64/${RELEASE}`
    )
  })

  it.each([
    'a b', '..', 'ubuntu/20.04/x86_64/5.4 generic', 'ubuntu/../x86_64/5.4', 'ub untu/20.04/x86_64/5.4', 'ubuntu/20.04/x86_64'
  ])('of which a part cannot be one is refused for the field that was sent: %s', async reference => {
    const response = await (await lab()).relocate({ kernel_release: reference })
    expect([response.status, await problemOf(response)]).toMatchObject([400, { code: 'invalid_request', field: 'kernel_release' }])
  })

  it('that another distribution has is unknown, with the other one named', async () => {
    const { supply, relocate } = await lab([CENTOS])
    const rhel = await supply(RHEL, fooBtf())
    const response = await relocate({ kernel_release: `rocky/7/x86_64/${RELEASE}` })
    expect([response.status, await problemOf(response)]).toMatchObject([404, {
      code: 'kernel_unknown',
      candidates: [{ reference: RHEL, btf_sha256: rhel, source: 'upload' }, { reference: CENTOS, btf_sha256: null, source: 'btfhub' }]
    }])
  })
})

describe('GET /kernels', () => {
  it('lists what is held and what can be had, in pages that link to each other', async () => {
    const { supply, request } = await lab([CENTOS, RHEL, 'debian/bullseye/arm64/5.10.0-9-arm64'])
    const held = await supply(RHEL, emptyBtf())
    const first = await request('/kernels?limit=2')
    expect(await first.json()).toMatchObject({
      kernels: [
        {
          reference: CENTOS,
          distro: 'centos',
          distro_version: '7',
          arch: 'x86_64',
          release: RELEASE,
          state: 'offered',
          sources: ['btfhub'],
          btf_sha256: null,
          bytes: null,
          types: null,
          source: null,
          provenance: null,
          first_seen: null,
          last_used: null,
          modules: []
        },
        { reference: 'debian/bullseye/arm64/5.10.0-9-arm64', state: 'offered' }
      ]
    })
    const next = /^<([^>]+)>; rel="next"$/.exec(first.headers.get('link') ?? '')?.[1] ?? ''
    expect(await (await request(next)).json()).toMatchObject({
      kernels: [{ reference: RHEL, state: 'held', sources: ['upload', 'btfhub'], btf_sha256: held }], next_cursor: null
    })
    expect(await (await request('/kernels?distro=debian&distro_version=11&arch=aarch64')).json()).toMatchObject({
      kernels: [{ reference: 'debian/bullseye/arm64/5.10.0-9-arm64' }]
    })
    expect(await (await request(`/kernels/${RHEL}`)).json()).toMatchObject({ state: 'held', sources: ['upload', 'btfhub'] })
  })
})
