import { useEffect, useState } from 'preact/hooks'
import { messageOf } from '../api/request.js'
import { useService } from './service-context.js'

export type Loaded<T> =
  | { readonly state: 'loading' }
  | { readonly state: 'ready', readonly value: T }
  | { readonly state: 'failed', readonly error: unknown, readonly message: string }

/** Loads something, and again when `key` changes. What is not wanted any more is stopped. */
export function useLoaded<T> (key: string, load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const { noteFailure } = useService()
  const [loaded, setLoaded] = useState<{ readonly key: string, readonly what: Loaded<T> }>({ key, what: { state: 'loading' } })
  useEffect(() => {
    const leaving = new AbortController()
    load(leaving.signal).then(
      value => { if (!leaving.signal.aborted) setLoaded({ key, what: { state: 'ready', value } }) },
      (error: unknown) => {
        if (leaving.signal.aborted) return
        noteFailure(error)
        setLoaded({ key, what: { state: 'failed', error, message: messageOf(error) } })
      })
    return () => { leaving.abort() }
  }, [key])
  return loaded.key === key ? loaded.what : { state: 'loading' }
}
