// What the run through all kernels found, for people.

const COLUMNS = ['suite', 'arch', 'offered', 'fetched', 'failed', 'compared', 'equal', 'GB', 'CPU s mean', 'CPU s max']

export function summarise ({ suites, rows, distinct, indexCpu, seed }) {
  const lines = suites.flatMap(({ suite, arches, kernels, hasExpired }) => arches.map(arch => {
    const own = rows.filter(row => row.suite === suite && row.arch === arch)
    const fetched = own.filter(({ reason }) => reason === '')
    const cpu = fetched.map(row => row.cpu)
    return [
      hasExpired ? `${suite} (expired)` : suite, arch,
      kernels.filter(kernel => kernel.arch === arch).length, fetched.length, own.length - fetched.length,
      own.filter(({ equal }) => equal !== undefined).length, own.filter(({ equal }) => equal === true).length,
      (fetched.reduce((sum, { bytes }) => sum + bytes, 0) / 1e9).toFixed(2), mean(cpu).toFixed(2), Math.max(0, ...cpu).toFixed(2)
    ].map(String)
  }))
  const widths = COLUMNS.map((name, i) => Math.max(name.length, ...lines.map(line => line[i].length)))
  const text = [COLUMNS, ...lines]
    .map(line => line.map((cell, i) => i < 2 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])).join('  '))
    .join('\n')
  const failures = new Map()
  for (const { suite, arch, release, reason } of rows.filter(row => row.reason !== '')) {
    // One kind is one reason, whichever package it was.
    const kind = reason
      .replace(/debian\/\d+\/\S+/, '<kernel>')
      .replace(/\S+\.deb/, '<package>')
      .replaceAll(release, '<release>')
      .replace(/[0-9a-f]{16,}/g, '<hash>')
    failures.set(kind, [...failures.get(kind) ?? [], `${suite} ${arch} ${release}`])
  }
  const fetched = rows.filter(({ reason }) => reason === '')
  const compared = rows.filter(({ equal }) => equal !== undefined)
  const gigabytes = (fetched.reduce((sum, { bytes }) => sum + bytes, 0) / 1e9).toFixed(1)
  const cpuSeconds = fetched.reduce((sum, { cpu }) => sum + cpu, 0).toFixed(0)
  return [
    text, '',
    `${distinct} kernels offered, those that two suites have once; ${fetched.length} fetched, ${rows.length - fetched.length} failed, ` +
      `${distinct - rows.length} not tried; ${compared.filter(({ equal }) => equal).length} of ${compared.length} compared are equal`,
    `${gigabytes} GB of packages, ${cpuSeconds} s of CPU, and ${indexCpu.toFixed(0)} s before that for the indexes (seed ${seed})`,
    ...[...failures].flatMap(([reason, kernels]) =>
      ['', `${kernels.length} times: ${reason}`, ...kernels.slice(0, 10).map(kernel => `  ${kernel}`)])
  ].join('\n')
}

export function tsv (rows) {
  return [['SUITE', 'ARCH', 'RELEASE', 'VERSION', 'BYTES', 'CPU_S', 'SECONDS', 'BTF', 'EQUAL', 'REASON'],
    ...rows.map(({ suite, arch, release, version, bytes, cpu, seconds, sha256, equal, reason }) =>
      [suite, arch, release, version, bytes, cpu.toFixed(2), seconds.toFixed(2), sha256, equal ?? '', reason])
  ].map(row => row.join('\t')).join('\n') + '\n'
}

function mean (values) { return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length }
