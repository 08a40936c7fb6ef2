import { AppError } from '../errors.js'
import type { Setting, Settings, ValuesOf } from './setting.js'

export type Environment = Readonly<Record<string, string | undefined>>

/** The value of an option on the command line: `''` for a switch, undefined where it was not given. */
export type ReadOption = (name: string) => string | undefined

/**
 * The values that the command line and the environment give to settings.
 *
 * @throws AppError `invalid_request` whose sentence names the option or variable at fault and says what to write
 */
export function readSettings<T extends Settings> (settings: T, env: Environment, readOption: ReadOption = () => undefined): ValuesOf<T> {
  const values = Object.entries(settings).flatMap(([key, setting]) => {
    const value = readSetting(setting, env, readOption)
    return value === undefined ? [] : [[key, value]]
  })
  return Object.fromEntries(values) as ValuesOf<T>
}

/** The error for a value that does not fit. */
export function invalidSetting ({ env }: Pick<Setting, 'env'>, message: string): AppError {
  return new AppError('invalid_request', message, { setting: env })
}

function readSetting (setting: Setting, env: Environment, readOption: ReadOption): unknown {
  const { kind, option } = setting
  const given = givenOption(setting, readOption) ?? givenVariable(setting, env)
  if (given === undefined) {
    if (setting.requiredBy === undefined) return setting.byDefault()
    throw invalidSetting(setting, `The ${setting.requiredBy} needs --${option?.name} ${option?.value} (or ${setting.env}).`)
  }
  const value = kind.parse(given.text)
  if (value !== undefined) return value
  throw invalidSetting(setting, `${given.name} must be ${kind.must}${kind.isSecret === true ? '' : `, not ${JSON.stringify(given.text)}`}.`)
}

interface Given { readonly name: string, readonly text: string }

function givenOption ({ option }: Setting, readOption: ReadOption): Given | undefined {
  const text = option === undefined ? undefined : readOption(option.name)
  return text === undefined ? undefined : { name: `--${option?.name}`, text: option?.value === undefined ? 'true' : text }
}

function givenVariable ({ env: name, alias, kind, takesEmpty }: Setting, env: Environment): Given | undefined {
  const text = (alias === undefined ? undefined : env[alias] || undefined) ?? env[name]
  if (text === undefined || (text === '' && takesEmpty !== true) || kind.isUnset?.(text) === true) return undefined
  return { name, text }
}
