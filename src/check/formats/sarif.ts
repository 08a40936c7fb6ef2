import { REASONS } from '../../report/meanings.js'
import { ENGINE } from '../../relocation/engine.js'
import type { OutcomeFailure } from '../../report/outcome.js'
import { failureSentence, MEANINGS } from '../failure-text.js'
import { foldsOf, type Fold } from '../folded.js'
import type { CheckState } from '../wire.js'
import { grouped, type Group } from './groups.js'
import type { Writer } from './writer.js'
import { firstOf } from '../../wire/words.js'

/**
 * SARIF 2.1.0: a result for each failing place, with the kernels in its message. Kernels of which nothing can be told are notifications
 * of the run: they are no place in a program.
 *
 * @see https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
 */
export const writeSarif: Writer = async function * ({ cells, counter, problem, objects }) {
  yield `{\n"$schema":"${SCHEMA}",\n"version":"2.1.0",\n"runs":[{\n`
  const groups = await grouped(cells)
  const places = placesIn(groups)
  const rules = [...new Set(places.map(ruleOf))].sort()
  const driver = {
    name: ENGINE.name,
    semanticVersion: ENGINE.version,
    rules: rules.map(id => ({ id, shortDescription: messageOf(meaningOf(id)) }))
  }
  yield `"tool":${JSON.stringify({ driver })},\n`
  yield '"columnKind":"utf16CodeUnits",\n"originalUriBaseIds":{"SRCROOT":{"description":{"text":"Where the programs were compiled."}}},\n'
  const artifacts = objects.map(({ name, sha256 }) =>
    ({ location: { uri: uriOf(name) }, hashes: { 'sha-256': sha256.replace(/^sha256:/, '') } }))
  yield `"artifacts":${JSON.stringify(artifacts)},\n"results":[`
  for (const [i, place] of places.entries()) yield `${i === 0 ? '' : ','}\n${JSON.stringify(resultOf(place, rules))}`
  const error = problem()
  const notifications = [
    ...objects.flatMap(({ name, warning }) => warning === undefined
      ? []
      : [{ level: 'warning', message: messageOf(`${name}: ${warning.message}`), descriptor: { id: warning.code } }]),
    ...groups.flatMap(group => notificationOf(group) ?? []),
    ...(error === undefined ? [] : [{ level: 'error', message: messageOf(error.message), descriptor: { id: error.code } }])
  ]
  const { verdict, states } = counter.summary()
  const invocation = {
    executionSuccessful: error === undefined,
    properties: { verdict, states },
    ...(notifications.length === 0 ? {} : { toolExecutionNotifications: notifications })
  }
  yield `\n],\n"invocations":[${JSON.stringify(invocation)}]\n}]\n}\n`
}

const SCHEMA = 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json'

/** One place of the source that fails, and where. */
interface Place {
  readonly object: Group['object']
  readonly fold: [OutcomeFailure, ...OutcomeFailure[]]
  /** By their full names: one may fail on many kernels. */
  readonly instructions: Set<string>
  readonly state: CheckState
  readonly isKnown: boolean
  readonly isCompared: boolean
  readonly kernels: Set<string>
}

/**
 * Places are the same where all is that a person would be told of them. A line of which the compiler made several instructions is one,
 * since viewers show what is at one line side by side; its instructions are logical locations of it (SARIF 3.28.4).
 */
function placesIn (groups: readonly Group[]): Place[] {
  const places = new Map<string, Place>()
  for (const { object, outcome, baseline, kernels } of groups) {
    for (const fold of foldsOf(outcome.failures)) {
      const [{ program, section, instruction, source, access, reason, detail }] = fold
      const where = source === null ? [program, section, instruction] : [source.file, source.line]
      const key = JSON.stringify([object.sha256, outcome.state, baseline === 'same', where, access, reason, detail])
      const known = places.get(key)
      if (known !== undefined) {
        known.fold.push(...fold.filter(failure => !known.instructions.has(fullNameOf(failure))))
        for (const failure of fold) known.instructions.add(fullNameOf(failure))
        for (const kernel of kernels) known.kernels.add(kernel)
        continue
      }
      places.set(key, {
        object,
        fold: [...fold],
        instructions: new Set(fold.map(fullNameOf)),
        state: outcome.state,
        isKnown: baseline === 'same',
        isCompared: baseline !== undefined,
        kernels: new Set(kernels)
      })
    }
  }
  return [...places.values()]
}

function ruleOf ({ fold: [{ reason }] }: Place): string { return reason ?? 'no_value' }

function meaningOf (rule: string): string {
  const entry = Object.entries(REASONS).find(([name]) => name === rule)
  return entry === undefined ? 'The kernel has no value for a relocation.' : entry[1].meaning
}

/** Kernels that a message names. */
const KERNELS_NAMED = 50

function resultOf (place: Place, rules: readonly string[]): object {
  const { object, fold, state, isKnown, isCompared } = place
  const kernels = [...place.kernels]
  const [{ source, suggestions: [suggestion] }] = fold
  const advice = suggestion === undefined ? '' : `\n\n${suggestion.text}${suggestion.code === '' ? '' : `\n${suggestion.code}`}`
  const on = `on ${kernels.length} ${kernels.length === 1 ? 'kernel' : 'kernels'}: ${firstOf(kernels, KERNELS_NAMED)}`
  const text = `${failureSentence(fold)}. ${MEANINGS[state]}, ${on}`
  return {
    ruleId: ruleOf(place),
    ruleIndex: rules.indexOf(ruleOf(place)),
    level: state === 'unknown' ? 'warning' : 'error',
    message: messageOf(`${text}${advice}`),
    locations: [{
      physicalLocation: source === null
        ? { artifactLocation: { uri: uriOf(object.name) } }
        : {
            artifactLocation: { uri: uriOf(source.file), ...(isRelative(source.file) ? { uriBaseId: 'SRCROOT' } : {}) },
            region: { startLine: Math.max(1, source.line), snippet: { text: textOf(source.text) } }
          },
      logicalLocations: logicalLocationsOf(fold)
    }],
    partialFingerprints: { 'coreloPlace/v1': fingerprintOf(place) },
    ...(isCompared ? { baselineState: isKnown ? 'unchanged' : 'new' } : {}),
    properties: { object: object.sha256, kernels: kernels.length }
  }
}

/** Each instruction once: relocations of one instruction, such as those of an offset and a size, are told alike. */
function logicalLocationsOf (fold: Fold): object[] {
  const byName = new Map(fold.map(failure => [fullNameOf(failure), failure]))
  return [...byName].map(([name, { program, section }]) => ({
    name: textOf(program || section),
    fullyQualifiedName: textOf(name),
    kind: 'function'
  }))
}

function fullNameOf ({ program, section, instruction }: OutcomeFailure): string { return `${section}/${program}+${instruction}` }

/** The same for the next build of the program, whose instructions have moved. */
function fingerprintOf ({ object, fold: [{ program, access, reason, source }] }: Place): string {
  return textOf([object.name, program, access, reason ?? '', source?.file ?? ''].join('|'))
}

function notificationOf ({ object, outcome, kernels, baseline }: Group): object | undefined {
  const { state, reason, failures } = outcome
  if (state === 'loads' || failures.length > 0) return undefined
  return {
    level: baseline === 'same' ? 'note' : state === 'error' ? 'error' : 'warning',
    message: messageOf(`${object.name}: ${reason ?? MEANINGS[state]} (${firstOf(kernels, KERNELS_NAMED)})`),
    descriptor: { id: state }
  }
}

/**
 * A message for people. A brace in it is written twice, since a number in braces stands for an argument (SARIF 3.11.5). Nothing in it
 * becomes a link (3.11.6): names come out of untrusted objects.
 */
function messageOf (text: string): { readonly text: string } {
  return { text: textOf(text).replace(/[{}]/g, '$&$&').replaceAll('](', '] (') }
}

/** Text of an untrusted file. */
function textOf (text: string): string { return text.replace(/\p{Surrogate}/gu, '\ufffd') }

function isRelative (path: string): boolean { return !path.startsWith('/') }

/** A path as a URI reference. No part of it may be taken for a scheme or a host. */
function uriOf (path: string): string {
  const encoded = textOf(path).split('/').map(encodeURIComponent).join('/')
  return path.startsWith('/') ? `file://${encoded.replace(/^\/+/, '/')}` : encoded.replace(/^(\.\/)+/, '') || '.'
}
