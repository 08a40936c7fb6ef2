/** Where the process is in its life. `draining`: still answers, but asks not to be sent more. `closing`: only finishes what it has. */
export interface Lifecycle {
  state: 'starting' | 'ready' | 'draining' | 'closing'
}

/** Whether callers are asked to go elsewhere with their next request. */
export function isLeaving ({ state }: Lifecycle): boolean { return state === 'draining' || state === 'closing' }
