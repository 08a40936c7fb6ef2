/**
 * The platform classes that the engine uses. Node, browsers and workers all have it; the engine's compiler settings
 * include neither Node's nor the browser's library, so that nothing else of either can slip in.
 */
declare class TextDecoder {
  constructor (label?: string, options?: { fatal?: boolean, ignoreBOM?: boolean })
  decode (input?: Uint8Array): string
}
declare class TextEncoder {
  encode (input?: string): Uint8Array
  encodeInto (text: string, destination: Uint8Array): { read: number, written: number }
}
