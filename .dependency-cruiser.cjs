/** The direction of imports, as the source layout in README.md draws it. `npm run lint` runs it and asserts that it saw modules. */
const folder = (name) => `^src/${name}/`

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'bytes-is-the-bottom', severity: 'error', from: { path: folder('bytes') }, to: { path: '^src/', pathNot: '^src/(bytes|errors|limits)' } },
    { name: 'elf-btf-insn-know-only-bytes', severity: 'error', from: { path: '^src/(elf|btf|insn)/' }, to: { path: '^src/', pathNot: '^src/($1|bytes|errors|limits)' } },
    { name: 'core-knows-only-formats', severity: 'error', from: { path: folder('core') }, to: { path: '^src/', pathNot: '^src/(core|bytes|elf|btf|insn|errors|limits)' } },
    { name: 'kernels-know-btf', severity: 'error', from: { path: folder('kernels') }, to: { path: '^src/(core|workers|service|http|cli|elf|insn)/' } },
    { name: 'workers-know-core-and-kernels', severity: 'error', from: { path: folder('workers') }, to: { path: '^src/(service|http|cli)/' } },
    { name: 'service-knows-no-http', severity: 'error', from: { path: folder('service') }, to: { path: '^src/(http|cli)/' } },
    { name: 'http-speaks-to-service', severity: 'error', from: { path: folder('http') }, to: { path: '^src/(core|elf|btf|insn|bytes|workers|cli)/' } },
    { name: 'fetching-in-one-folder', severity: 'error', from: { path: '^src', pathNot: '^src/kernels/(fetch|shared)/' }, to: { path: 'node_modules/(undici|cockatiel|ipaddr\\.js)/' } },
    { name: 'unpacking-in-one-folder', severity: 'error', from: { path: '^src', pathNot: '^src/kernels/unpack/' }, to: { path: 'node_modules/(xz-decompress|tar-stream)/' } },
    { name: 'piscina-in-one-place', severity: 'error', from: { path: '^src', pathNot: '^src/workers/pool' }, to: { path: 'node_modules/piscina' } },
    { name: 's3-in-one-place', severity: 'error', from: { path: '^src', pathNot: '^src/kernels/shared/' }, to: { path: 'node_modules/aws4fetch' } },
    { name: 'one-importer-for-plugins', severity: 'error', from: { path: '^src', pathNot: '^src/http/' }, to: { path: 'node_modules/(fastify|@fastify|prom-client|typebox)' } }
  ],
  options: { tsPreCompilationDeps: true, tsConfig: { fileName: 'tsconfig.app.json' }, doNotFollow: { path: 'node_modules' } }
}
