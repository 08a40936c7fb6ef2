import { parse } from 'node:querystring'

/** More parameters than any address takes. The parser leaves out the rest, and what is left is refused already. */
const MAX_PARAMETERS = 64

/**
 * Parameters of a query. A `+` is a plus sign, as RFC 3986 has it, and not the blank of HTML forms: releases have plus signs
 * (`6.12.107+deb13-amd64`) and no blanks. A blank is written %20.
 */
export function parseQueryString (text: string): Record<string, string | string[] | undefined> {
  return parse(text.replaceAll('+', '%2B'), '&', '=', { maxKeys: MAX_PARAMETERS })
}
