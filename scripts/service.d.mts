import type { ChildProcess } from 'node:child_process'

export type Settings = Readonly<Record<string, string>>

export interface Options {
  /** Where the built service is; here by default. */
  readonly checkout?: string
  /** A descriptor, or what becomes of it. Both are kept where they are pipes. */
  readonly stdout?: 'pipe' | 'ignore' | number
  readonly stderr?: 'pipe' | 'inherit'
  /** Options of Node. */
  readonly execArgv?: readonly string[]
  /** How many files it may have open. */
  readonly openFiles?: number
}

/** A service in a process of its own, as people run it. */
export interface ServiceProcess {
  readonly child: ChildProcess
  /** Its exit code, once it has ended; null where a signal ended it. */
  readonly exited: Promise<number | null>
  /** What it has written so far. */
  output (): string
  /** @throws Error before it listens */
  readonly url: string
  /** Both reject with its output where it ends before. */
  listening (): Promise<void>
  ready (): Promise<void>
  /** By default as somebody at a terminal does, who does not wait for load balancers to notice. */
  stop (signal?: NodeJS.Signals): Promise<number | null>
}

export const TEST_SETTINGS: Settings
export function startService (settings: Settings, options?: Options): Promise<ServiceProcess>
export function spawnService (settings: Settings, options?: Options): ServiceProcess
