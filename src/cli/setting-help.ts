import type { Setting } from '../settings/setting.js'
import type { OptionSpec } from './arguments.js'
import { definitions } from './help.js'

/** The options that stand for settings, as a command's spec has them. */
export function settingOptions (settings: readonly Setting[]): Record<string, OptionSpec> {
  return Object.fromEntries(settings.flatMap(setting => setting.option === undefined ? [] : [[setting.option.name, toOption(setting)]]))
}

/** The variables, as a command's help lists them. */
export function describeVariables (settings: readonly Setting[]): string {
  return `Environment:\n${definitions(settings.map(({ env, option, defaultText, meaning }) =>
    [`  ${env}`, option === undefined ? `${meaning} Default: ${defaultText}.` : `As --${option.name}.`] as const))}\n`
}

function toOption ({ option, meaning, defaultText, env, requiredBy }: Setting): OptionSpec {
  const whenAbsent = requiredBy !== undefined ? `Required (or ${env}).` : option?.value === undefined ? '' : `Default: ${defaultText}.`
  return { ...(option?.value === undefined ? {} : { value: option.value }), help: `${meaning} ${whenAbsent}`.trim() }
}
