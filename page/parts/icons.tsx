import type { ComponentChildren } from 'preact'

const PATHS = {
  loads: 'M3.5 8.4l3 3 6-6.4',
  fails: 'M4 4l8 8M12 4l-8 8',
  unknown: 'M5.6 6a2.5 2.5 0 1 1 3.6 2.3c-.8.4-1.2.8-1.2 1.7M8 12.6v.1',
  warning: 'M8 3v6.4M8 12.6v.1',
  absent: 'M3.5 8h9',
  fetch: 'M8 3v7.5M4.6 7.4L8 10.8l3.4-3.4M3.5 13.2h9',
  open: 'M6 4l4 4-4 4',
  close: 'M4 4l8 8M12 4l-8 8',
  add: 'M8 3.5v9M3.5 8h9',
  copy: 'M6 6h7v7H6zM3.5 10.5V3.5h7',
  download: 'M8 2.5v7.5M4.6 7L8 10.4 11.4 7M3 13.2h10',
  link: 'M6.8 9.2l2.4-2.4M7.5 5l1.4-1.4a2.6 2.6 0 0 1 3.6 3.6L11 8.7M8.5 11l-1.4 1.4a2.6 2.6 0 0 1-3.6-3.6L5 7.3',
  key: 'M9.6 6.4a2.6 2.6 0 1 0 0 .1zM9.6 6.5H14v2.6M12 6.5v1.8',
  search: 'M11 6.8a4.2 4.2 0 1 1-8.4 0 4.2 4.2 0 0 1 8.4 0zM10 9.8l3.6 3.6',
  stop: 'M4.5 4.5h7v7h-7z',
  file: 'M4 2h5l3 3v9H4zM9 2v3h3'
} as const

export type IconName = keyof typeof PATHS

/** A sign beside a word, which says the same: nothing is told by it alone. */
export function Icon ({ name }: { readonly name: IconName }) {
  return <svg class='icon' viewBox='0 0 16 16' aria-hidden='true' focusable='false'><path d={PATHS[name]} /></svg>
}

/** A sign that stands for a word by itself. */
export function Hidden ({ children }: { readonly children: ComponentChildren }) { return <span class='hidden'>{children}</span> }
