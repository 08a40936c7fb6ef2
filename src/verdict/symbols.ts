import { dataView } from '../bytes/checked.js'
import { datasecVariable, kindOf, nameOf, referencedType, typeId, vlenOf, type Btf } from '../btf/btf.js'
import { BtfKind } from '../btf/constants.js'
import { listedKinds } from '../btf/listed-kinds.js'
import { plainType } from '../btf/resolve.js'
import type { BpfObject } from '../core/object.js'
import { STB_WEAK, STT_OBJECT } from '../elf/constants.js'
import { symbolsOf, type ElfSymbol } from '../elf/symbols.js'
import { packVersion, parseRelease } from './age.js'
import { bytesOf } from './assume.js'
import { share } from './bounds.js'
import { once } from './code.js'
import type { JudgeOptions } from './judgement.js'
import { isMapSection, objectMaps } from './maps.js'
import { constant, isConstant, ofSize, scalar, VAGUE, type Scalar } from './scalar.js'
import { isReadOnlyData, placesOf, settableVariables } from './settable.js'
import { dataPointer, MAP, mapPointer, NOT_NULL, pointerOf, UNCLEAR, type DataRegion, type Value } from './value.js'
import { patchOf, versionText } from './version-text.js'

/** What symbols of the object stand for once it is loaded. */
export interface SymbolValues {
  /** The value of a 64-bit load that refers to the symbol. */
  readonly load: (symbol: ElfSymbol, addend: number) => Value
  /** Whether the kernel has the function that a call refers to. */
  readonly hasFunction: (name: string) => boolean | undefined
  /** Values of the kernel's configuration that were loaded and are not known, by name: cleared by those who ask. */
  readonly notKnown: Set<string>
}

export function symbolValues (object: BpfObject, options: JudgeOptions): SymbolValues {
  let externs: ReadonlyMap<string, Extern> | undefined
  const regions = new Map<number, DataRegion>()
  const kconfig = new Map<string, DataRegion>()
  const notKnown = new Set<string>()
  const maps = objectMaps(object)

  const regionOf = (index: number): DataRegion | undefined => {
    const section = object.elf.sections[index]
    if (section === undefined || !isReadOnlyData(section.name)) return undefined
    let region = regions.get(index)
    if (region === undefined) {
      region = readOnlyData(object, index, options.assume)
      regions.set(index, region)
    }
    return region
  }

  const kconfigOf = (name: string): DataRegion => {
    let region = kconfig.get(name)
    if (region === undefined) {
      const value = kconfigValue(name, options)
      region = { read: (offset, size) => offset === 0 ? lowBytes(value, size) : undefined, numberAt: () => undefined }
      kconfig.set(name, region)
    }
    return region
  }

  return {
    load: (symbol, addend) => {
      if (symbol.sectionIndex !== 0) {
        const region = regionOf(symbol.sectionIndex)
        if (region !== undefined) return dataPointer(region, symbol.value + addend)
        if (!isMapSection(object.elf.sections[symbol.sectionIndex]?.name ?? '')) return NOT_NULL
        const map = maps.shapeOf(symbol, addend)
        return map === undefined ? MAP : mapPointer(map)
      }
      externs ??= readExterns(object.btf)
      const extern = externs.get(symbol.name)
      if (extern?.section === '.kconfig') {
        if (kconfigValue(symbol.name, options) === VAGUE) notKnown.add(symbol.name)
        return dataPointer(kconfigOf(symbol.name), 0)
      }
      if (symbol.binding !== STB_WEAK) return UNCLEAR
      const answer = options.hasKernelSymbol?.(symbol.name)
      // A symbol without a type is looked for in /proc/kallsyms, which lists more than BTF.
      if (answer === undefined || (!answer && extern?.isTyped !== true)) return UNCLEAR
      return answer ? pointerOf('no', false, true) : constant(0n)
    },
    hasFunction: name => options.hasKernelSymbol?.(name),
    notKnown
  }
}

interface Extern {
  /** Where the object's BTF puts it: `.kconfig` or `.ksyms`. */
  readonly section: string
  /** False for `extern const void`. */
  readonly isTyped: boolean
}

function readExterns (btf: Btf): ReadonlyMap<string, Extern> {
  const externs = new Map<string, Extern>()
  for (const id of listedKinds(btf).datasecs) {
    const section = nameOf(btf, id)
    if (section !== '.kconfig' && section !== '.ksyms') continue
    for (let v = 0; v < vlenOf(btf, id); v++) {
      const variable = datasecVariable(btf, id, v)
      externs.set(nameOf(btf, variable), {
        section,
        isTyped: kindOf(btf, variable) === BtfKind.FUNC || plainType(btf, referencedType(btf, variable)) !== 0
      })
    }
  }
  return externs
}

function readOnlyData (object: BpfObject, index: number, assume: JudgeOptions['assume']): DataRegion {
  const section = object.elf.sections[index]
  if (section === undefined) return { read: () => undefined, numberAt: () => undefined }
  const data = new Uint8Array(object.bytes.subarray(section.offset, section.offset + section.size)) // `slice` of a Buffer would not copy
  const view = dataView(data)
  const { littleEndian } = object.elf
  const variables = once(() => symbolsOf(object.elf).definedIn(index).filter(({ type, name }) => type === STT_OBJECT && name !== ''))
  /** Where the types do not tell how many bytes a value has, a read from there gets it. */
  const unsized = new Map<number, bigint>()
  if (assume !== undefined && assume.size > 0) {
    const settable = settableVariables(object)
    for (const [name, given] of assume) {
      for (const place of placesOf(object, settable, name)) {
        if (place.section !== index) continue
        if (place.size === undefined) unsized.set(place.offset, given)
        else write(view, place.offset, bytesOf(place, name, given) ?? place.size, littleEndian, given)
      }
    }
  }
  const numberAt = (offset: number, size: number): bigint | undefined => {
    if (offset < 0 || offset + size > data.length) return undefined
    const assumed = unsized.get(offset)
    return assumed === undefined ? readNumber(view, offset, size, littleEndian) : BigInt.asUintN(8 * size, assumed)
  }
  return {
    numberAt,
    read: (offset, size) => {
      const value = numberAt(offset, size)
      if (value === undefined) return undefined
      const variable = variables().find(({ value: start, size: length }) => start <= offset && offset + size <= start + length)
      if (variable === undefined) return constant(value, [`${section.name}+${offset} = ${value}`])
      const within = offset - variable.value
      const isRead = variable.size <= 8 && variable.value + variable.size <= data.length
      const whole = isRead ? readNumber(view, variable.value, variable.size, littleEndian) : value
      return constant(value, [`${section.name}.${variable.name}${variable.size > 8 ? `+${within}` : ''} = ${whole}`])
    }
  }
}

function readNumber (view: DataView, offset: number, size: number, littleEndian: boolean): bigint {
  if (size === 4) return BigInt(view.getUint32(offset, littleEndian))
  if (size === 8) return view.getBigUint64(offset, littleEndian)
  let value = 0n
  for (let i = 0; i < size; i++) value |= BigInt(view.getUint8(offset + i)) << BigInt(8 * (littleEndian ? i : size - 1 - i))
  return value
}

function write (view: DataView, offset: number, size: number, littleEndian: boolean, value: bigint): void {
  const wide = BigInt.asUintN(64, value)
  for (let i = 0; i < Math.min(size, 8); i++) {
    view.setUint8(offset + (littleEndian ? i : size - 1 - i), Number(wide >> BigInt(8 * i) & 0xffn))
  }
}

function kconfigValue (name: string, { assume, kernelRelease }: JudgeOptions): Scalar {
  const given = assume?.get(name) ?? assume?.get(`.kconfig.${name}`)
  if (given !== undefined) return constant(given, [`${name} = ${given}`])
  if (name !== 'LINUX_KERNEL_VERSION' || kernelRelease === undefined) return VAGUE
  return kernelVersion(kernelRelease)
}

/**
 * LINUX_KERNEL_VERSION as libbpf computes it. Debian and Ubuntu write 0 where the third number would be in their releases, and
 * libbpf finds that number elsewhere: then it can be any.
 */
function kernelVersion (release: string): Scalar {
  const version = parseRelease(release)
  if (version === undefined) return VAGUE
  const [major, minor] = version
  const [patch] = patchOf(release)
  const from = [versionText(release) ?? '']
  const base = packVersion(major, minor, 0)
  if (patch !== undefined) return constant(packVersion(major, minor, Number(patch)), from)
  const last = base + 255n
  const range = { umin: base, umax: last, smin: base, smax: last, umin32: base, umax32: last, smin32: base, smax32: last }
  return scalar(
    share({ bits: base, mask: 255n, ...range }),
    { exact: false, from, isOne: true }
  )
}

function lowBytes (value: Scalar, bytes: number): Scalar {
  if (isConstant(value)) return constant(value.bounds.bits & ((1n << BigInt(8 * bytes)) - 1n), value.from)
  return value.isOne && bytes >= 4 ? value : ofSize(bytes, { exact: false, from: value.from })
}

/** For `hasKernelSymbol`: whether a kernel's BTF has a function or variable of the name. Reads the whole BTF at the first question. */
export function kernelSymbols (btf: Btf): (name: string) => boolean {
  let names: Set<string> | undefined
  return name => {
    if (names === undefined) {
      names = new Set()
      for (let i = btf.startId; i < btf.endId; i++) {
        const id = typeId(i)
        const kind = kindOf(btf, id)
        if (kind === BtfKind.FUNC || (kind === BtfKind.VAR && referencedType(btf, id) >= 0)) names.add(nameOf(btf, id))
      }
    }
    return names.has(name)
  }
}
