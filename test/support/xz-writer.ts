import { buffer } from 'node:stream/consumers'
import { crc32 } from 'node:zlib'
import tar from 'tar-stream'

/** A member of a test's archive. Its type is a file's unless it says otherwise. */
export interface TarMember {
  readonly name: string
  readonly bytes?: Uint8Array
  readonly type?: 'symlink' | 'link' | 'directory' | 'character-device' | 'fifo'
  readonly linkname?: string
}

/** A tar archive. */
export async function tarOf (...members: readonly TarMember[]): Promise<Uint8Array> {
  const pack = tar.pack()
  for (const { name, bytes, type, linkname } of members) {
    if (type === undefined) pack.entry({ name }, Buffer.from(bytes ?? new Uint8Array()))
    else pack.entry({ name, type, ...(linkname === undefined ? {} : { linkname }) })
  }
  pack.finalize()
  return await buffer(pack)
}

/** What BTFHub has for a kernel. */
export async function tarXzOf (...members: readonly TarMember[]): Promise<Uint8Array> { return xzOf(await tarOf(...members)) }

/** A stream of its own that unfolds to 1 MiB of zeros: made by `head -c 1M /dev/zero | xz -9 --check=crc32`. */
export const ZEROS = Buffer.from(
  '/Td6WFoAAAFpIt42AgAhARwAAAAQz1jM7///ANldAABv/f//o7f/Rz5IFXI5YVG4kijmo4YH+e7kHoLTL8U6PAFLsX7JiopNL6MN2X+m44wjEVPgWRjFdYrid/i2lH8M' +
    'asDedElk4ulcU7IE2PdEDKtfDW1G6eXDdoi3llestk3haR1v+0uIEGxCy4g/XACP0E6vJiiUcR89jyThcJ6nI1/sKMuF0ZWYin4qkfIndfcZwAaYTZj92K/VkA/EJVP4' +
    '9ZE2MQWlsO5vwXBNRwzRkRGqrWAdus6xJxhcWYbpZlJYvul2rFnk5VsFCPnH2q38+1Iq9+SVJQAAAAAAHOo4pwAB8QGAgEAAb9Xu3D4wDYsCAAAAAAFZWg==',
  'base64'
)

const u32 = (value: number): Buffer => { const bytes = Buffer.alloc(4); bytes.writeUInt32LE(value >>> 0); return bytes }
const padded = (bytes: Uint8Array): Buffer => Buffer.concat([bytes, Buffer.alloc((4 - bytes.length % 4) % 4)])
const withCrc = (bytes: Uint8Array): Buffer => Buffer.concat([bytes, u32(crc32(bytes))])

function vli (value: number): number[] { return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...vli(Math.floor(value / 0x80))] }

/**
 * The bytes as an .xz file that stores without compressing, which any decoder reads: tests need archives of their own, and
 * nothing that Node comes with writes this format.
 *
 * @see https://tukaani.org/xz/xz-file-format.txt
 */
export function xzOf (bytes: Uint8Array): Uint8Array {
  const flags = Buffer.from([0x00, 0x01]) // check: CRC32
  const blockHeader = withCrc(Buffer.from([0x02, 0x00, 0x21, 0x01, 0x16, 0x00, 0x00, 0x00])) // LZMA2, dictionary of 8 MiB
  const chunks: Buffer[] = []
  for (let at = 0; at < bytes.length; at += 0x10000) {
    const chunk = bytes.subarray(at, at + 0x10000)
    const size = Buffer.alloc(2)
    size.writeUInt16BE(chunk.length - 1)
    chunks.push(Buffer.from([at === 0 ? 0x01 : 0x02]), size, Buffer.from(chunk))
  }
  const data = Buffer.concat([...chunks, Buffer.from([0x00])])
  const index = withCrc(padded(Buffer.from([0x00, ...vli(1), ...vli(blockHeader.length + data.length + 4), ...vli(bytes.length)])))
  const footer = Buffer.concat([u32(index.length / 4 - 1), flags])
  return Buffer.concat([
    Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]), withCrc(flags),
    blockHeader, padded(data), u32(crc32(bytes)),
    index,
    u32(crc32(footer)), footer, Buffer.from('YZ')
  ])
}
