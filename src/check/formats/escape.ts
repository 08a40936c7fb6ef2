const NAMED: ReadonlyMap<string, string> = new Map([['&', '&amp;'], ['<', '&lt;'], ['>', '&gt;'], ['"', '&quot;'], ["'", '&#39;']])

/**
 * Text of an untrusted file as XML and HTML have it, in an element or in a quoted attribute. Characters that XML 1.0 does not know, and
 * those that turn the direction of what follows, become U+FFFD.
 */
export function escapeMarkup (text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd').replace(UNFIT, '\ufffd').replace(/[&<>"']/g, sign => NAMED.get(sign) ?? '')
}

/** The same for an attribute, where a parser would make spaces of line ends. */
export function escapeAttribute (text: string): string {
  return escapeMarkup(text).replace(/[\t\n\r]/g, space => `&#${space.charCodeAt(0)};`)
}

// eslint-disable-next-line no-control-regex -- they are what this is about
const UNFIT = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffe\uffff]/g
