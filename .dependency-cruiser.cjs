/** The direction of imports, as docs/architecture.md draws it. `npm run lint` runs it and asserts that it saw modules. */
const folder = (name) => `^src/${name}/`

/** Imports nothing of src but its own folder, the folders and files named, and errors.ts, limits.ts and retry-after.ts. */
const knowsOnly = (name, ...known) => ({
  name: `${name}-knows-only-what-is-below-it`,
  severity: 'error',
  from: { path: folder(name) },
  to: { path: '^src/', pathNot: `^src/(${[`${name}/`, ...known, 'errors\\.ts', 'limits\\.ts', 'retry-after\\.ts'].join('|')})` }
})

/** A package that one place of src imports. */
const onlyIn = (place, packages) => ({
  name: `${packages.replace(/\W+/g, '-')}-in-one-place`,
  severity: 'error',
  from: { path: '^src', pathNot: place },
  to: { path: `node_modules/(${packages})` }
})

const nodeModules = '^((node:)?(fs|net|http|https|child_process|worker_threads)(/|$))'

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    knowsOnly('wire'),
    knowsOnly('bytes'),
    knowsOnly('elf', 'bytes/'),
    knowsOnly('btf', 'bytes/'),
    knowsOnly('insn', 'bytes/'),
    knowsOnly('core', 'bytes/', 'elf/', 'btf/', 'insn/'),
    knowsOnly('verdict', 'bytes/', 'elf/', 'btf/', 'insn/', 'core/', 'members/'),
    knowsOnly('layout', 'bytes/', 'elf/', 'btf/', 'core/', 'members/'),
    knowsOnly('members', 'bytes/', 'btf/'),
    knowsOnly('c-types', 'wire/', 'bytes/', 'btf/', 'members/'),
    knowsOnly('min-btf', 'bytes/', 'btf/', 'insn/', 'core/'),
    knowsOnly('report', 'wire/', 'bytes/', 'elf/', 'btf/', 'insn/', 'core/', 'verdict/', 'members/'),
    knowsOnly('identity', 'bytes/', 'wire/'),
    knowsOnly('network'),
    // Types of what they are the settings of, and what a value must be.
    knowsOnly('settings', 'network/', 'identity/', 'check/limits\\.ts', 'kernel-types/limits\\.ts', 'fetch/(limits|refusals)\\.ts', 'kernels/sources/public-archive\\.ts', 'store/shared/s3-settings\\.ts'),
    knowsOnly('store', 'btf/', 'network/'),
    knowsOnly('attestation', 'wire/', 'store/sha256\\.ts'),
    { name: 'attestation-is-pure', severity: 'error', from: { path: folder('attestation') }, to: { path: nodeModules } },
    knowsOnly('keys', 'attestation/', 'store/(atomic-file|error-code|folder|sha256)\\.ts'),
    knowsOnly('fetch', 'store/', 'network/'),
    knowsOnly('formats', 'bytes/', 'elf/', 'btf/', 'identity/'),
    knowsOnly('workers', 'wire/', 'bytes/', 'elf/', 'btf/', 'core/', 'layout/', 'store/', 'formats/', 'report/', 'verdict/', 'min-btf/', 'members/', 'c-types/'),
    knowsOnly('kernels', 'wire/', 'network/', 'bytes/', 'btf/', 'identity/', 'store/', 'fetch/', 'workers/', 'settings/service-options\\.ts'),
    knowsOnly('packages', 'network/', 'bytes/', 'identity/', 'store/', 'fetch/', 'formats/', 'kernels/', 'workers/collect\\.ts', 'settings/service-options\\.ts'),
    knowsOnly('import', 'bytes/', 'elf/', 'btf/', 'core/', 'identity/', 'store/', 'formats/', 'kernels/', 'relocation/engine\\.ts', 'report/'),
    knowsOnly('relocation', 'wire/', 'network/', 'attestation/', 'keys/', 'core/', 'identity/', 'store/', 'workers/', 'kernels/', 'settings/service-options\\.ts', 'report/', 'verdict/'),
    knowsOnly('check', 'wire/', 'identity/', 'store/', 'workers/', 'kernels/', 'relocation/(engine|objects)\\.ts', 'report/', 'verdict/'),
    knowsOnly('kernel-types', 'wire/', 'identity/', 'store/', 'workers/', 'kernels/', 'relocation/targets\\.ts', 'relocation/types\\.ts', 'c-types/'),
    knowsOnly('watch', 'wire/', 'network/', 'identity/', 'store/', 'kernels/', 'packages/versions\\.ts', 'settings/service-options\\.ts'),
    knowsOnly('service', 'wire/', 'network/', 'attestation/', 'core/', 'c-types/', 'identity/', 'store/', 'workers/', 'kernels/', 'packages/', 'relocation/', 'check/', 'kernel-types/', 'watch/', 'settings/service-options\\.ts'),
    { name: 'http-speaks-to-service', severity: 'error', from: { path: folder('http') }, to: { path: '^src/(elf|btf|insn|bytes|workers|formats|import|cli|agent)/' } },
    knowsOnly('client', 'network/', 'bytes/', 'identity/', 'store/sha256\\.ts', 'wire/'),
    // It looks up which loaded modules have a type that vmlinux lacks: a reader of BTF, and no engine.
    knowsOnly('agent', 'settings/', 'network/', 'btf/(btf|lookup|parse)\\.ts', 'client/', 'attestation/', 'identity/', 'store/(atomic-file|error-code|folder|sha256)\\.ts', 'wire/'),
    { name: 'agent-is-small', severity: 'error', from: { path: '^src/(client|agent)/' }, to: { path: 'node_modules/(fastify|@fastify|typebox|undici|piscina)' } },
    // Loading undici takes ten megabytes, of which an agent on every node should have little: only a proxy or an authority of one's own takes it.
    { name: 'undici-in-the-agent-only-for-proxies', severity: 'error', from: { path: '^src/(client|agent|cli|network/(fetch|failure|network))' }, to: { path: '^src/network/(dispatcher|undici-fetch)', dynamic: false } },
    onlyIn('^src/(fetch/|store/shared/|network/)', 'undici|ipaddr\\.js'),
    onlyIn('^src/(fetch/|store/|workers/in-turn)', 'cockatiel'),
    onlyIn('^src/import/bundle/', 'tar-stream'),
    onlyIn('^src/formats/decompress/', 'seek-bzip|zstddec'),
    onlyIn('^src/workers/(threads|pool-transfer)', 'piscina'),
    onlyIn('^src/http/access/', 'jose'),
    onlyIn('^src/store/shared/', 'aws4fetch'),
    onlyIn('^src/packages/repomd\\.ts', 'saxes'),
    onlyIn('^src/packages/signature\\.ts', 'openpgp'),
    onlyIn('^src/http/', 'fastify|@fastify|typebox'),
    onlyIn('^src/(http/(metrics|series-histogram)|agent/metrics)', 'prom-client')
  ],
  options: { tsPreCompilationDeps: true, tsConfig: { fileName: 'tsconfig.app.json' }, doNotFollow: { path: 'node_modules' } }
}
