/** What the text of a setting may be, and the value that it stands for. */
export interface Kind<T> {
  /** What the text must be, to follow "must be". */
  readonly must: string
  /** The value; undefined where the text is refused. */
  readonly parse: (text: string) => T | undefined
  /** Whether the text counts as not set. */
  readonly isUnset?: (text: string) => boolean
  /** The text may contain a password, so that messages do not repeat it. */
  readonly isSecret?: boolean
}

/** `2147483648`, and `2.147483648e+09`, which Helm makes of a large number in values.yaml. */
const NUMBER = /^\d{1,16}(?:\.\d{1,16})?(?:e\+?\d{1,2})?$/i
const MAX_PORT = 65_535

export const TEXT: Kind<string> = { must: 'a text', parse: text => text }

export const FLAG: Kind<boolean> = { must: 'true or false', parse: text => text === 'true' ? true : text === 'false' ? false : undefined }

/** A text of which a condition holds. */
export function matching (must: string, accepts: (text: string) => boolean): Kind<string> {
  return { must, parse: text => accepts(text) ? text : undefined }
}

/** Texts that commas separate, of each of which a condition holds. */
export function listMatching (must: string, accepts: (item: string) => boolean): Kind<readonly string[]> {
  return {
    must,
    parse (text) {
      const items = text.split(',').map(item => item.trim()).filter(item => item !== '')
      return items.every(accepts) ? items : undefined
    }
  }
}

export function choice<const T extends string> (...choices: readonly T[]): Kind<T> {
  return {
    must: `${choices.slice(0, -1).join(', ')} or ${choices.at(-1)}`,
    parse: text => choices.find(name => name === text)
  }
}

/** A whole number, both ends included. */
export function integer (minimum: number, maximum: number): Kind<number> {
  return {
    must: `a whole number from ${minimum} to ${maximum}`,
    parse (text) {
      const value = NUMBER.test(text) ? Number(text) : NaN
      return Number.isSafeInteger(value) && value >= minimum && value <= maximum ? value : undefined
    }
  }
}

export const BYTES: Kind<number> = { ...integer(1, Number.MAX_SAFE_INTEGER), must: 'a whole number of bytes above 0' }

/** 0 takes any free port. Kubernetes sets `<NAME>_PORT=tcp://…` for a Service, which must not stop pods that share its name. */
export const PORT: Kind<number> = { ...integer(0, MAX_PORT), isUnset: text => text.startsWith('tcp://') }

export function isWebAddress (text: string): boolean { return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) }
