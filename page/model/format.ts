const number = new Intl.NumberFormat('en')

/** `2,951`. */
export function count (value: number): string { return number.format(value) }

/** `1 kernel`, `2,951 kernels`. */
export function counted (value: number, noun: string): string { return `${count(value)} ${noun}${value === 1 ? '' : 's'}` }

/** `41.2 KB`. */
export function bytes (value: number): string {
  if (value < 1000) return counted(value, 'byte')
  return value < 1_000_000 ? `${(value / 1000).toFixed(1)} KB` : `${(value / 1_000_000).toFixed(1)} MB`
}

/** Two digits a byte. */
export function hexOf (bytes: Uint8Array): string { return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('') }
