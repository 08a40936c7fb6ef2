/** The direction of imports, as the source layout in README.md draws it. `npm run lint` runs it and asserts that it saw modules. */
const folder = (name) => `^src/${name}/`

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'bytes-is-the-bottom', severity: 'error', from: { path: folder('bytes') }, to: { path: '^src/', pathNot: '^src/(bytes|errors|limits)' } },
    { name: 'elf-btf-insn-know-only-bytes', severity: 'error', from: { path: '^src/(elf|btf|insn)/' }, to: { path: '^src/', pathNot: '^src/($1|bytes|errors|limits)' } },
    { name: 'core-knows-only-formats', severity: 'error', from: { path: folder('core') }, to: { path: '^src/', pathNot: '^src/(core|bytes|elf|btf|insn|errors|limits)' } },
    { name: 'attestation-is-pure', severity: 'error', from: { path: folder('attestation') }, to: { path: '^(src/|(node:)?(fs|net|http|https|child_process|worker_threads)(/|$))', pathNot: '^src/(attestation/|kernels/sha256|errors)' } },
    { name: 'keys-are-files', severity: 'error', from: { path: folder('keys') }, to: { path: '^src/', pathNot: '^src/(keys/|attestation/|kernels/(atomic-file|sha256)|errors)' } },
    { name: 'kernels-know-btf', severity: 'error', from: { path: folder('kernels') }, to: { path: '^src/(core|workers|service|http|cli|insn)/' } },
    { name: 'elf-is-for-extraction', severity: 'error', from: { path: folder('kernels'), pathNot: '^src/kernels/extraction/' }, to: { path: folder('elf') } },
    { name: 'workers-know-core-and-kernels', severity: 'error', from: { path: folder('workers') }, to: { path: '^src/(service|http|cli)/' } },
    { name: 'service-knows-no-http', severity: 'error', from: { path: folder('service') }, to: { path: '^src/(http|cli)/' } },
    { name: 'http-speaks-to-service', severity: 'error', from: { path: folder('http') }, to: { path: '^src/(core|elf|btf|insn|bytes|workers|cli)/' } },
    { name: 'client-knows-no-engine', severity: 'error', from: { path: folder('client') }, to: { path: '^src/', pathNot: '^src/(client/|bytes/|errors|limits|kernels/(arch|reference|sha256))' } },
    { name: 'agent-knows-no-engine', severity: 'error', from: { path: folder('agent') }, to: { path: '^src/', pathNot: '^src/(agent/|client/|attestation/|errors|limits|kernels/(arch|atomic-file|os-release|reference|running-kernel|sha256))' } },
    { name: 'agent-is-small', severity: 'error', from: { path: '^src/(client|agent)/' }, to: { path: 'node_modules/(fastify|@fastify|typebox|undici|env-schema|piscina)' } },
    { name: 'network-in-two-folders', severity: 'error', from: { path: '^src', pathNot: '^src/kernels/(fetch|shared)/' }, to: { path: 'node_modules/(undici|cockatiel|ipaddr\\.js)/' } },
    { name: 'xz-in-one-folder', severity: 'error', from: { path: '^src', pathNot: '^src/kernels/unpack/' }, to: { path: 'node_modules/xz-decompress/' } },
    { name: 'tar-for-archives', severity: 'error', from: { path: '^src', pathNot: '^src/kernels/(unpack|extraction|bundle)/' }, to: { path: 'node_modules/tar-stream/' } },
    { name: 'piscina-in-one-place', severity: 'error', from: { path: '^src', pathNot: '^src/workers/pool' }, to: { path: 'node_modules/piscina' } },
    { name: 'jose-in-one-place', severity: 'error', from: { path: '^src', pathNot: '^src/http/access/' }, to: { path: 'node_modules/jose' } },
    { name: 's3-in-one-place', severity: 'error', from: { path: '^src', pathNot: '^src/kernels/shared/' }, to: { path: 'node_modules/aws4fetch' } },
    { name: 'one-importer-for-decompressors', severity: 'error', from: { path: '^src', pathNot: '^src/kernels/extraction/decompress/' }, to: { path: 'node_modules/(seek-bzip|zstddec)' } },
    { name: 'one-importer-for-plugins', severity: 'error', from: { path: '^src', pathNot: '^src/http/' }, to: { path: 'node_modules/(fastify|@fastify|typebox)' } },
    { name: 'one-importer-for-metrics', severity: 'error', from: { path: '^src', pathNot: '^src/(http|agent)/metrics' }, to: { path: 'node_modules/prom-client' } }
  ],
  options: { tsPreCompilationDeps: true, tsConfig: { fileName: 'tsconfig.app.json' }, doNotFollow: { path: 'node_modules' } }
}
