import ts from 'typescript'

const GROUPS = {
  v1: 'kubernetes-types/core/v1.js',
  'apps/v1': 'kubernetes-types/apps/v1.js',
  'policy/v1': 'kubernetes-types/policy/v1.js',
  'autoscaling/v2': 'kubernetes-types/autoscaling/v2.js',
  'networking.k8s.io/v1': 'kubernetes-types/networking/v1.js',
  'rbac.authorization.k8s.io/v1': 'kubernetes-types/rbac/v1.js',
  'monitoring.coreos.com/v1': './prometheus-operator.js'
}

/**
 * Each document against the type of its kind. The types are made from the API's own OpenAPI document, and the compiler refuses what
 * an API server with strict validation does: fields that are not there, and values of another type.
 */
export function checkSchemas (root, documents) {
  const unknown = documents.filter(({ value }) => GROUPS[value.apiVersion] === undefined)
  const known = documents.filter(document => !unknown.includes(document))
  const file = `${root}scripts/manifests/rendered.ts` // exists in memory only; where it is decides how imports are resolved
  const text = known
    .map(({ value }, index) => `export const d${index}: import('${GROUPS[value.apiVersion]}').${value.kind} = ${JSON.stringify(value)}`)
    .join('\n')
  const options = {
    strict: true,
    noEmit: true,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2023,
    lib: ['lib.es2023.d.ts'],
    types: [],
    skipLibCheck: true
  }
  const host = ts.createCompilerHost(options)
  const { readFile, fileExists, getSourceFile } = host
  host.fileExists = name => name === file || fileExists(name)
  host.readFile = name => name === file ? text : readFile(name)
  host.getSourceFile = (name, language, ...rest) =>
    name === file ? ts.createSourceFile(name, text, language) : getSourceFile(name, language, ...rest)
  const program = ts.createProgram([file], options, host)
  return [
    ...unknown.map(({ name, value }) => `${name}: no schema is known for ${value.apiVersion}`),
    ...ts.getPreEmitDiagnostics(program).map(diagnostic => {
      const line = diagnostic.file?.fileName === file ? diagnostic.file.getLineAndCharacterOfPosition(diagnostic.start).line : undefined
      const message = ts.flattenDiagnosticMessageText(diagnostic.messageText, ' ').replaceAll('\'"', "'").replaceAll('"\'', "'")
      return `${line === undefined ? diagnostic.file?.fileName : known[line].name}: schema: ${message.slice(0, 400)}`
    })
  ]
}
