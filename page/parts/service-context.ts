import { createContext } from 'preact'
import { useContext } from 'preact/hooks'
import type { Send } from '../api/request.js'

/** What every part of the page may need. */
export interface PageService {
  readonly send: Send
  /** Has a screen reader say something, when it is done with what it says. */
  announce(text: string): void
  /** Told of what went wrong, so that the page asks for a token where that would help. */
  noteFailure(error: unknown): void
}

export const ServiceContext = createContext<PageService>({
  send: async () => { throw new Error('there is no service') },
  announce: () => {},
  noteFailure: () => {}
})

export function useService (): PageService { return useContext(ServiceContext) }
