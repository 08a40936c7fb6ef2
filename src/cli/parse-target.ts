import { relocateDistilledBase } from '../btf/distilled-base.js'
import { parseBtf } from '../core/index.js'
import type { Btf } from '../index.js'
import { about } from './files.js'
import type { TargetBtf } from './target-request.js'

/** @throws AppError `btf_invalid`, with the file's name */
export function parseTarget (target: TargetBtf): { vmlinux: Btf, modules: readonly Btf[] } {
  const vmlinux = parseNamed(target.vmlinux)
  return { vmlinux, modules: target.modules.map(module => parseNamed(module, vmlinux)) }
}

function parseNamed ({ name, bytes, distilledBase }: TargetBtf['vmlinux'], base?: Btf): Btf {
  return about(name, () => {
    const raw = distilledBase === undefined || base === undefined ? bytes : relocateDistilledBase(bytes, distilledBase, base)
    return parseBtf(raw, base === undefined ? {} : { base })
  })
}
