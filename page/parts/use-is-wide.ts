import { useEffect, useState } from 'preact/hooks'

/** From this width on the detail stands beside the matrix, as the style sheet has it. */
const WIDE = '(min-width: 100rem)'

/** Whether there is room for three columns. */
export function useIsWide (): boolean {
  const [isWide, setWide] = useState(() => matchMedia(WIDE).matches)
  useEffect(() => {
    const query = matchMedia(WIDE)
    const look = (): void => { setWide(query.matches) }
    query.addEventListener('change', look)
    return () => { query.removeEventListener('change', look) }
  }, [])
  return isWide
}
