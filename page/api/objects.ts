/** An object that was dropped, or that a link names. */
export interface ChosenObject {
  readonly id: number
  /** Different from that of every other. */
  readonly name: string
  /** Undefined where only the hash is known. */
  readonly file: File | undefined
  /** Undefined until it was worked out, or the service has said it. */
  readonly sha256: string | undefined
}

/** The hash by which the service knows content. Undefined where the browser has none to give: on pages without TLS. */
export async function hashOf (file: Blob): Promise<string | undefined> {
  if (!isSecureContext) return undefined
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await file.arrayBuffer()))
  return `sha256:${Array.from(digest, byte => byte.toString(16).padStart(2, '0')).join('')}`
}

/** How an object goes into a form: by its hash once the service holds it. */
export function appendObject (form: FormData, { file, name, sha256 }: ChosenObject, isHeld: boolean): void {
  if (file === undefined || (isHeld && sha256 !== undefined)) form.append('object', sha256 ?? '')
  else form.append('object', file, name)
}

const ELF = [0x7f, 0x45, 0x4c, 0x46]

/** Whether a file begins as every ELF file does: what else somebody drops is not sent. */
export async function isElf (file: Blob): Promise<boolean> {
  const bytes = new Uint8Array(await file.slice(0, ELF.length).arrayBuffer())
  return ELF.every((byte, i) => bytes[i] === byte)
}
