import { parseAllDocuments } from 'yaml'

/** The documents of a manifest, as Kubernetes reads it: YAML 1.1, in which 0440 is an octal number. */
export function parseManifests (source, text) {
  return parseAllDocuments(text, { version: '1.1', uniqueKeys: true }).flatMap(document => {
    if (document.errors.length > 0) throw new Error(`${source}: ${document.errors[0].message}`)
    const value = document.toJS()
    return value === null ? [] : [{ source, value, name: `${source}: ${value.kind} ${value.metadata?.name}` }]
  })
}

/** The pod that a document makes, if it makes any. */
export function podOf ({ value }) {
  if (value.kind === 'Pod') return { labels: value.metadata.labels ?? {}, spec: value.spec }
  const template = value.spec?.template
  return template?.spec?.containers === undefined ? undefined : { labels: template.metadata?.labels ?? {}, spec: template.spec }
}

export function containersOf (spec) { return [...spec.initContainers ?? [], ...spec.containers ?? [], ...spec.ephemeralContainers ?? []] }
