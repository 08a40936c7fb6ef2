import type { Kind } from './kinds.js'

/**
 * One environment variable: what it means, what its value is checked against, and what applies where it is not set. Help, reference
 * pages, shell completion and the check for misspelt names are made of these.
 */
export interface Setting<T = unknown> {
  readonly env: string
  /** Another name of the variable, which wins over `env`. */
  readonly alias?: string
  readonly option?: SettingOption
  readonly kind: Kind<unknown>
  /** The value where neither option nor variable is set. A setting that is required has none. */
  readonly byDefault: () => T
  /** The default as people read it. */
  readonly defaultText: string
  readonly meaning: string
  /** The command that does not start without it. */
  readonly requiredBy?: string
  /** Whether an empty text is a value. Elsewhere it counts as not set. */
  readonly takesEmpty?: boolean
}

/** An option of the command line with the same meaning as a variable. It wins over the variable. */
export interface SettingOption {
  /** Long name, without the dashes. */
  readonly name: string
  /** What stands for the value in the help. Undefined: the option is a switch. */
  readonly value?: string
}

/** Settings by the names of their values, in the order in which they are listed. */
export type Settings = Readonly<Record<string, Setting>>

type ValueOf<S> = S extends Setting<infer T> ? T : never
type Present<T> = { [Key in keyof T]: undefined extends ValueOf<T[Key]> ? never : Key }[keyof T]

/** The values of settings. A setting without a default has a value only where it is set. */
export type ValuesOf<T> =
  & { readonly [Key in Present<T>]: ValueOf<T[Key]> }
  & { readonly [Key in Exclude<keyof T, Present<T>>]?: NonNullable<ValueOf<T[Key]>> }

type About = Pick<Setting, 'meaning' | 'alias' | 'option' | 'takesEmpty'>

/** A setting with a default. `defaultText` is for a default that does not say itself what it is. */
export function setting<T> (
  env: string,
  kind: Kind<T>,
  { byDefault, ...about }: About & { readonly byDefault: NoInfer<T>, readonly defaultText?: string }
): Setting<T> {
  return { env, kind, byDefault: () => byDefault, defaultText: String(byDefault), ...about }
}

/** A setting whose default depends on the machine. */
export function computed<T> (
  env: string,
  kind: Kind<T>,
  about: About & { readonly byDefault: () => NoInfer<T>, readonly defaultText: string }
): Setting<T> {
  return { env, kind, ...about }
}

/** A setting that may have no value. */
export function optional<T> (env: string, kind: Kind<T>, about: About & { readonly defaultText?: string }): Setting<T | undefined> {
  return { env, kind, byDefault: () => undefined, defaultText: 'none', ...about }
}

/** A setting without which a command does not start. */
export function required<T> (
  env: string,
  kind: Kind<T>,
  about: About & { readonly option: SettingOption, readonly requiredBy: string }
): Setting<T> {
  return { env, kind, byDefault: () => { throw new TypeError(`${env} has no default`) }, defaultText: 'required', ...about }
}
