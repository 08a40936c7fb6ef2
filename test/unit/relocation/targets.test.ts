import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parseReference } from '../../../src/identity/reference.js'
import { parseRecord, serializeRecord } from '../../../src/kernels/kernel-record.js'
import { contentOf, hashOf, openReplica } from '../../support/names-lab.js'
import { emptyBtf, failure, fooBtf, offsetOfY, put, relocate, startService, temporaryFolder, UBUNTU } from '../service/lab.js'

const MINT = { ...UBUNTU, distro: 'linuxmint', distroVersion: '20.3' }
const VERSION = '#46-Ubuntu SMP Fri Jul 10 00:24:02 UTC 2020'
const BUILD_ID = '24a3598fd700114d0a1b1a4871badcee75d0acac'

describe('a kernel under the name of a distribution that installs it', () => {
  it('is answered where release and uname -v are identical, which the answer says', async () => {
    const service = await startService(await temporaryFolder())
    await put(service, fooBtf(), {}, { kernelVersion: VERSION })
    const answer = await relocate(service, { kernel: { ...MINT, kernelVersion: VERSION }, wantsReport: true })
    expect(offsetOfY(answer)).toBe(12)
    expect(answer.warning).toEqual({
      code: 'shared_kernel',
      message: 'linuxmint/20.3/x86_64/5.4.0-42-generic is answered as ubuntu/20.04/x86_64/5.4.0-42-generic: linuxmint installs kernels ' +
        'of ubuntu, and release and uname -v are the same.'
    })
    expect((await relocate(service, { kernel: { ...UBUNTU, kernelVersion: VERSION } })).warning).toBeUndefined()
  })

  it('is unknown without a uname -v, with another one, and for a distribution that builds its own', async () => {
    const service = await startService(await temporaryFolder())
    await put(service, fooBtf(), {}, { kernelVersion: VERSION })
    for (const kernel of [
      MINT, { ...MINT, kernelVersion: '#48-Ubuntu SMP Sat Jul 11' }, { ...MINT, release: '5.4.0-43-generic', kernelVersion: VERSION },
      { ...UBUNTU, distro: 'rocky', kernelVersion: VERSION }
    ]) {
      await failure('kernel_unknown', relocate(service, { kernel }))
    }
  })
})

describe('distributions that install the kernels of another', () => {
  const DEBIAN = '#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-07-02)'
  const RHEL = '#1 SMP PREEMPT_DYNAMIC Tue Aug 12 16:43:58 EDT 2026'
  const SLES = '#1 SMP PREEMPT_DYNAMIC Mon Aug 4 09:29:33 UTC 2026 (a1b2c3d)'

  it.each([
    ['devuan/5', 'debian/12', '6.1.0-50-amd64', DEBIAN],
    ['rhcos/4.16', 'rhel/9', '5.14.0-427.31.1.el9_4.x86_64', RHEL],
    ['opensuse-leap/15.6', 'sles/15.6', '6.4.0-150600.23.60-default', SLES],
    ['sle-micro/6.0', 'sles/15.6', '6.4.0-150600.23.60-default', SLES],
    ['linuxmint/20.3', 'ubuntu/20.04', UBUNTU.release, VERSION],
    ['pop/20.04', 'ubuntu/20.04', UBUNTU.release, VERSION]
  ])('%s has that of %s where uname -v is the same, which is said, and no other', async (installs, builds, release, kernelVersion) => {
    const service = await startService(await temporaryFolder())
    const { entry } = await put(service, fooBtf(), parseReference(`${builds}/x86_64/${release}`), { kernelVersion })
    const kernel = parseReference(`${installs}/x86_64/${release}`)
    const answer = await relocate(service, { kernel: { ...kernel, kernelVersion } })
    expect(answer.btfSha256).toBe(entry.btfSha256)
    expect(answer.kernel).toBe(`${installs}/x86_64/${release}`)
    expect(answer.warning).toMatchObject({
      code: 'shared_kernel', message: expect.stringContaining(`is answered as ${builds}/x86_64/${release}`)
    })
    for (const other of [
      kernel, { ...kernel, kernelVersion: `${kernelVersion} ` },
      { ...kernel, kernelVersion: kernelVersion.replace('#1', '#2').replace('#46', '#47') }
    ]) {
      await failure('kernel_unknown', relocate(service, { kernel: other }))
    }
  })

  it('have nothing that an operator replaced', async () => {
    const replica = await openReplica({ directory: await temporaryFolder(), contents: new Map(), trustUploads: false })
    onTestFinished(replica.close)
    const imported = async (content: string, kernelVersion: string, replaces: boolean): Promise<void> => {
      const kernel = { reference: UBUNTU, kernelVersion, btf: contentOf(content), sha256: hashOf(content), types: 1 }
      expect(await replica.importing(async store => await store.putKernel(kernel), replaces)).toBe(true)
    }
    await imported('wrong', VERSION, false)
    expect(await replica.find({ kernel: { ...MINT, kernelVersion: VERSION } })).toMatchObject({ btf: hashOf('wrong') })
    await imported('right', VERSION, true)
    expect(await replica.find({ kernel: { ...MINT, kernelVersion: VERSION } })).toMatchObject({ btf: hashOf('right') })
  })
})

describe('a build-id', () => {
  /** A service whose record of UBUNTU has a build-id. */
  const started = async () => {
    const folder = await temporaryFolder()
    const before = await startService(folder)
    await put(before, fooBtf())
    await put(before, emptyBtf(), { release: '6.1' })
    await before.close()
    const files = (await readdir(folder, { recursive: true })).filter(path => path.includes(UBUNTU.release) && path.endsWith('.json'))
    expect(files).toHaveLength(1)
    for (const file of files) {
      const record = parseRecord(await readFile(join(folder, file), 'utf8')) ?? expect.fail()
      await writeFile(join(folder, file), serializeRecord({ ...record, buildId: BUILD_ID }))
    }
    return await startService(folder)
  }

  it('settles the kernel by itself, and beside its name', async () => {
    const service = await started()
    for (const request of [
      { buildId: BUILD_ID }, { kernel: { ...UBUNTU, buildId: BUILD_ID } }, { kernel: { release: UBUNTU.release, buildId: BUILD_ID } }
    ]) {
      const answer = await relocate(service, request)
      expect(offsetOfY(answer)).toBe(12)
      expect(answer.kernel).toContain(UBUNTU.release)
    }
  })

  it('contradicts a wrong name and other content, with both shown', async () => {
    const service = await started()
    for (const kernel of [
      { ...UBUNTU, release: '6.1', buildId: BUILD_ID }, { ...UBUNTU, distro: 'debian', distroVersion: '12', buildId: BUILD_ID }
    ]) {
      const error = await failure('kernel_ambiguous', relocate(service, { kernel }))
      expect(error.details).toMatchObject({ candidates: [expect.objectContaining({ reference: 'ubuntu/20.04/x86_64/5.4.0-42-generic' })] })
      expect(error.message).toContain(`${kernel.distro}/${kernel.distroVersion}/x86_64/${kernel.release}`)
    }
  })

  it('that no kernel is known to have is another build than the one that is held, and is unknown alone', async () => {
    const service = await started()
    const error = await failure('kernel_unknown', relocate(service, { kernel: { ...UBUNTU, buildId: 'ab'.repeat(20) } }))
    expect(error.message).toContain(`It is held as another build (build-id ${BUILD_ID})`)
    await failure('kernel_unknown', relocate(service, { buildId: 'ab'.repeat(20) }))
  })
})
