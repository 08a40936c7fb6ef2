/** The address as it may be shown: without credentials, query and fragment. */
export function shownUrl (url: URL): string { return `${url.origin}${url.pathname}` }
