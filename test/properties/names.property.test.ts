import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { AppError } from '../../src/errors.js'
import { formatReference } from '../../src/identity/reference.js'
import type { Sha256 } from '../../src/store/sha256.js'
import { contentOf, createFakeArchive, createFakeBucket, hashOf, openReplica, type Replica } from '../support/names-lab.js'
import { runs } from '../support/property-runs.js'

/**
 * 100 random histories, and 30,000 with `npm run test:names`, of one fleet: two replicas that share a bucket, and an edge that asks one of
 * them, with uploads, imports, fetches, restarts and queries. All that decides what a name means is real; BTF is a text, since nothing here
 * looks into it.
 */

const RELEASE = '9.9.9-mine'
const DISTROS = ['alpha', 'beta', 'gamma'] as const
const CONTENTS = ['c0', 'c1', 'c2'] as const
const MODULES = ['m0', 'm1'] as const

type Distro = typeof DISTROS[number]
type Content = typeof CONTENTS[number]
const referenceOf = (distro: Distro) => ({ distro, distroVersion: '1', arch: 'x86_64', release: RELEASE })
/** The build that has a content. Each has one; a supplier knows it or does not. */
const versionOf = (content: Content): string => `#${content}`
const buildIdOf = (content: Content): string => `${content.slice(1)}`.repeat(40)

// ---- The model: who said what, and what follows from it.

interface Said { readonly distro: Distro, readonly content: Content, readonly isTrusted: boolean, readonly knowsBuild: boolean }
interface SaidModule { readonly distro: Distro, readonly content: Content, readonly module: string, readonly isTrusted: boolean }
type Answer = Content | 'unknown' | 'refused'
interface Query { readonly distro?: Distro | undefined, readonly version?: Content | undefined, readonly buildId?: Content | undefined }

class Model {
  said: Said[] = []
  modules: SaidModule[] = []
  /** `<distro> <content>` that an operator replaced. */
  superseded = new Set<string>()
  readonly trust: boolean
  readonly fetch: (distro: Distro, query: Query, hasOther: boolean) => Said | 'unknown' | 'refused'
  readonly listed: () => readonly Distro[]
  constructor (trust: Model['trust'], fetch: Model['fetch'], listed: Model['listed']) {
    this.trust = trust
    this.fetch = fetch
    this.listed = listed
  }

  /** What counts under a name. Who does not know the build takes nothing back from those who do, unless these are mere uploads. */
  trusted (distro: Distro): Said[] {
    const counts = this.said.filter(said =>
      said.distro === distro && (said.isTrusted || this.trust) && !this.superseded.has(`${distro} ${said.content}`))
    return counts.filter(said =>
      said.knowsBuild || !counts.some(other => other.knowsBuild && other.content === said.content && (other.isTrusted || !said.isTrusted)))
  }

  fits (said: Said, { version, buildId }: Query): boolean {
    if (!said.knowsBuild) return true
    return buildId === undefined ? version === undefined || version === said.content : buildId === said.content
  }

  obtain (distro: Distro, query: Query): 'done' | 'refused' {
    const known = this.trusted(distro)
    if (known.some(said => this.fits(said, query))) return 'done'
    const found = this.fetch(distro, query, known.length > 0)
    // What is known of the name is another build: its supplier need not know of this one.
    if (found === 'refused') return known.length > 0 ? 'done' : 'refused'
    if (found !== 'unknown') this.said.push(found)
    return 'done'
  }

  all (): Said[] { return DISTROS.flatMap(distro => this.trusted(distro)) }
  /** What is known to be the build that is meant settles the kernel or contradicts its name, without a further question. */
  built ({ buildId }: Query): Said[] { return this.all().filter(said => said.knowsBuild && said.content === buildId) }

  answer (query: Query): Answer {
    const asked = this.built(query).length > 0 ? [] : query.distro === undefined ? this.listed() : [query.distro]
    // Not at the first refusal: what others give is known from then on.
    if (asked.map(distro => this.obtain(distro, query)).includes('refused')) return 'refused'
    const named = this.all().filter(({ distro }) => query.distro === undefined || distro === query.distro)
    const built = this.built(query)
    const exact = named.filter(said => said.knowsBuild && this.fits(said, query) && (query.version ?? query.buildId) !== undefined)
    if (built.length > 0 && exact.length === 0) return 'refused'
    const meant = new Set((exact.length > 0 ? exact : named.filter(said => this.fits(said, query))).map(({ content }) => content))
    const [content] = meant
    return content === undefined ? 'unknown' : meant.size > 1 ? 'refused' : content
  }

  /** The BTF of a module of the kernel that a whole name means. */
  answerModule (distro: Distro, content: Content, isUsable: (said: SaidModule) => boolean = said =>
    said.isTrusted || this.trust): string | undefined {
    const found = new Set(this.modules
      .filter(said => said.distro === distro && said.content === content && isUsable(said))
      .map(({ module }) => module))
    const [module] = found
    return found.size === 1 ? module : undefined
  }
}

// ---- Histories.

const distro = fc.constantFrom(...DISTROS)
const content = fc.constantFrom(...CONTENTS)
const replica = fc.constantFrom('one', 'two')
const anyone = fc.constantFrom('one', 'two', 'edge')
const step = fc.oneof(
  fc.record({ kind: fc.constant('upload' as const), at: replica, distro, content, knowsBuild: fc.boolean() }),
  fc.record({ kind: fc.constant('import' as const), at: replica, distro, content, knowsBuild: fc.boolean(), replaces: fc.boolean() }),
  fc.record({ kind: fc.constant('module' as const), at: replica, distro, content, module: fc.constantFrom(...MODULES) }),
  fc.record({ kind: fc.constant('restart' as const), at: anyone }),
  fc.record({
    kind: fc.constant('query' as const),
    at: anyone,
    distro: fc.option(distro, { nil: undefined }),
    version: fc.option(content, { nil: undefined }),
    buildId: fc.option(content, { nil: undefined, freq: 4 }),
    withModule: fc.boolean()
  })
)
const history = fc.record({
  trust: fc.boolean(),
  archive: fc.dictionary(distro, content, { maxKeys: 2 }),
  steps: fc.array(step, { minLength: 1, maxLength: 25 })
})

type History = typeof history extends fc.Arbitrary<infer T> ? T : never

/** Histories that once went wrong, and that few random ones are like. */
const FOUND: Array<[History]> = [
  // A build-id that is known contradicts the name: the archive must not be asked for what nobody means.
  [{
    trust: true,
    archive: { alpha: 'c1' },
    steps: [
      { kind: 'upload', at: 'two', distro: 'beta', content: 'c0', knowsBuild: true },
      { kind: 'query', at: 'edge', distro: 'alpha', version: 'c1', buildId: 'c0', withModule: false },
      { kind: 'query', at: 'edge', distro: undefined, version: undefined, buildId: 'c1', withModule: false }
    ]
  }],
  // Two contents of one name replace each other in turn, and then both turn out to be builds of their own: both stay.
  [{
    trust: false,
    archive: {},
    steps: [
      { kind: 'import', at: 'two', distro: 'beta', content: 'c1', knowsBuild: false, replaces: false },
      { kind: 'import', at: 'one', distro: 'beta', content: 'c0', knowsBuild: false, replaces: true },
      { kind: 'import', at: 'two', distro: 'beta', content: 'c1', knowsBuild: true, replaces: true },
      { kind: 'import', at: 'one', distro: 'beta', content: 'c0', knowsBuild: true, replaces: true },
      { kind: 'query', at: 'one', distro: 'gamma', version: 'c0', buildId: 'c1', withModule: false }
    ]
  }],
  // The same, and the content that was replaced before its build was known is imported once more.
  [{
    trust: false,
    archive: {},
    steps: [
      { kind: 'import', at: 'one', distro: 'beta', content: 'c1', knowsBuild: true, replaces: false },
      { kind: 'import', at: 'one', distro: 'beta', content: 'c0', knowsBuild: false, replaces: true },
      { kind: 'import', at: 'one', distro: 'beta', content: 'c0', knowsBuild: true, replaces: false },
      { kind: 'import', at: 'one', distro: 'beta', content: 'c1', knowsBuild: true, replaces: false },
      { kind: 'query', at: 'two', distro: 'beta', version: undefined, buildId: undefined, withModule: false },
      { kind: 'query', at: 'one', distro: 'beta', version: 'c1', buildId: undefined, withModule: false }
    ]
  }]
]

async function play ({ trust, archive, steps }: History): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'corelo-names-'))
  const contents = new Map<Sha256, Uint8Array>()
  const bucket = createFakeBucket()
  const source = createFakeArchive(new Map(Object.entries(archive).map(([name, held]) =>
    [formatReference(referenceOf(name as Distro)), held])))
  const replicas = new Map<string, Replica>()
  const start = async (name: string): Promise<void> => {
    const shared = { directory: join(folder, name), contents, trustUploads: trust }
    replicas.set(
      name, await openReplica(name === 'edge' ? { ...shared, upstream: () => at('one').kernels } : { ...shared, bucket, archive: source })
    )
  }
  const at = (name: string): Replica => {
    const found = replicas.get(name)
    if (found === undefined) throw new Error(`there is no replica ${name}`)
    return found
  }

  const fleet = new Model(trust, (distro, _query, hasOther) => {
    const held = (archive as Partial<Record<Distro, Content>>)[distro]
    return held === undefined || hasOther ? 'unknown' : { distro, content: held, isTrusted: true, knowsBuild: false }
  }, () => Object.keys(archive) as Distro[])
  const edge = new Model(trust, (distro, query) => {
    const found = fleet.answer({ ...query, distro })
    if (found === 'unknown' || found === 'refused') return found
    const knowsBuild = fleet.trusted(distro).some(said => said.content === found && said.knowsBuild)
    return { distro, content: found, isTrusted: true, knowsBuild }
  }, () => DISTROS.filter(distro => fleet.trusted(distro).length > 0))

  const apply = async (one: typeof steps[number]): Promise<void> => {
    if (one.kind === 'restart') {
      await at(one.at).close()
      return await start(one.at)
    }
    if (one.kind === 'query') return await ask(one)
    const { content, distro } = one
    const reference = referenceOf(distro)
    if (one.kind === 'upload') {
      const provenance = { by: 'node', at: new Date().toISOString(), ...(one.knowsBuild ? { kernelVersion: versionOf(content) } : {}) }
      await at(one.at).kernels.putBtf(
        reference, contentOf(content), provenance, undefined, one.knowsBuild ? { buildId: buildIdOf(content) } : {}
      )
      fleet.said.push({ distro, content, isTrusted: false, knowsBuild: one.knowsBuild })
    } else if (one.kind === 'import') {
      const isTaken = await at(one.at).importing(async store => {
        await store.putKernel({
          reference,
          kernelVersion: one.knowsBuild ? versionOf(content) : undefined,
          buildId: one.knowsBuild ? buildIdOf(content) : undefined,
          btf: contentOf(content),
          sha256: hashOf(content),
          types: 1
        })
      }, one.replaces)
      if (!isTaken) return
      // What an operator replaces means nothing any more, unless it is known to be another build.
      fleet.superseded.delete(`${distro} ${content}`)
      const goes = (said: Said): boolean =>
        said.distro === distro && said.content !== content && said.isTrusted && !(one.knowsBuild && isKnown(said))
      if (one.replaces) for (const said of fleet.said.filter(goes)) fleet.superseded.add(`${distro} ${said.content}`)
      fleet.said.push({ distro, content, isTrusted: true, knowsBuild: one.knowsBuild })
    } else {
      const isTaken = await at(one.at).kernels
        .putBtf(reference, contentOf(one.module), { by: 'node', at: new Date().toISOString() }, 'mod', { extends: hashOf(content) })
        .then(() => true, () => false)
      if (isTaken) fleet.modules.push({ distro, content, module: one.module, isTrusted: false })
    }
  }
  /** What is known to be another build than the one that an operator names stays beside it. */
  const isKnown = ({ distro, content }: Said): boolean => {
    return fleet.said.some(said => said.distro === distro && said.content === content && said.isTrusted && said.knowsBuild)
  }

  const ask = async ({
    at: name, distro, version, buildId, withModule
  }: {
    at: string
    distro?: Distro | undefined
    version?: Content | undefined
    buildId?: Content | undefined
    withModule: boolean
  }): Promise<void> => {
    const model = name === 'edge' ? edge : fleet
    const expected = model.answer({ distro, version, buildId })
    await sleep(2) // what the upstream listed is believed for a millisecond here
    const kernel = {
      ...(distro === undefined ? { release: RELEASE } : referenceOf(distro)),
      ...(version === undefined ? {} : { kernelVersion: versionOf(version) })
    }
    const request = { kernel, ...(buildId === undefined ? {} : { buildId: buildIdOf(buildId) }) }
    const found = await at(name).find(request).catch((error: unknown) => {
      if (!(error instanceof AppError)) throw error
      return error
    })
    if (found instanceof AppError) {
      expect(found.code).not.toBe('internal_error')
      if (name !== 'edge') {
        expect(expected === 'unknown'
          ? 'kernel_unknown'
          : expected === 'refused' ? 'kernel_ambiguous' : `${expected}, not ${found.message}`).toBe(found.code)
      }
      return
    }
    expect(found.btf).toBe(expected === 'unknown' || expected === 'refused' ? expected : hashOf(expected))
    if (!withModule || distro === undefined || expected === 'unknown' || expected === 'refused') return
    const module = fleet.answerModule(distro, expected)
    const answer = await at(name).find({ ...request, modules: ['mod'] }).then(({ modules }) => modules[0], (error: unknown) => {
      if (!(error instanceof AppError)) throw error
      return undefined
    })
    // An edge keeps what it once had of a module; the model of it would need its history.
    if (name === 'edge') {
      if (answer !== undefined) {
        expect(fleet.modules.some(said =>
          (said.isTrusted || trust) && said.content === expected && hashOf(said.module) === answer)).toBe(true)
      }
    } else expect(answer).toBe(module === undefined ? undefined : hashOf(module))
  }

  try {
    for (const name of ['one', 'two', 'edge']) await start(name)
    for (const one of steps) {
      await apply(one)
      for (const name of ['one', 'two']) await at(name).settle()
    }
  } finally {
    for (const one of replicas.values()) await one.close()
    await rm(folder, { recursive: true, force: true, maxRetries: 10 })
  }
}

describe('a name', () => {
  it('is answered only by what is proven for exactly it, from all that is known anywhere, or refused', async () => {
    await fc.assert(fc.asyncProperty(history, play), { ...runs(100), examples: FOUND, endOnFailure: true })
  }, 3_600_000)
})
