/** Medians and tables. Times are in milliseconds unless a name says otherwise. */

/** @param {readonly number[]} values */
export function median (values) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** Three significant digits, so that a table's noise is not read as news. */
export function short (value) {
  if (typeof value !== 'number') return String(value)
  return Number.isFinite(value) ? String(Number(value.toPrecision(3))) : '-'
}

/**
 * Prints rows of equal shape as an aligned table.
 * @param {ReadonlyArray<Readonly<Record<string, string | number>>>} rows
 */
export function printTable (rows) {
  const [first] = rows
  if (first === undefined) return
  const names = Object.keys(first)
  const lines = [names, ...rows.map(row => names.map(name => short(row[name])))]
  const widths = names.map((_, i) => Math.max(...lines.map(line => line[i].length)))
  for (const line of lines) {
    console.log('  ' + line.map((cell, i) => i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])).join('  '))
  }
}
