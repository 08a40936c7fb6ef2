/** The value that a text stands for; undefined where it is no JSON. */
export function tryParse (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
