import { useEffect, useState } from 'preact/hooks'

/** Whether a media query holds now. */
export function useMedia (text: string): boolean {
  const [holds, setHolds] = useState(() => matchMedia(text).matches)
  useEffect(() => {
    const query = matchMedia(text)
    const look = (): void => { setHolds(query.matches) }
    look()
    query.addEventListener('change', look)
    return () => { query.removeEventListener('change', look) }
  }, [text])
  return holds
}
