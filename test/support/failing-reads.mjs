// Preloaded into a service (node --import), its threads included: while the file of FAILING_READS is there, whatever of index and content
// is read fails with the code in it, as on a disk that is broken, a server that is gone, or a process without a file left to open.
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { sep } from 'node:path'

const STORED = new RegExp(`\\${sep}(?:index|content)\\${sep}`)
const { FAILING_READS: switchFile } = process.env
const { openSync, readFileSync } = fs
const promises = { ...fs.promises }

function check (path, syscall) {
  if (typeof path !== 'string' || !STORED.test(path)) return
  let code
  try {
    code = readFileSync(switchFile, 'utf8')
  } catch {
    return
  }
  throw Object.assign(new Error(`${code}: made to fail, ${syscall} '${path}'`), { code, syscall, path })
}

fs.openSync = (path, flags, ...rest) => {
  if (flags === 'r') check(path, 'open')
  return openSync(path, flags, ...rest)
}
fs.promises.readFile = async (path, ...rest) => {
  check(path, 'open')
  return await promises.readFile(path, ...rest)
}
fs.promises.readdir = async (path, ...rest) => {
  check(`${path}${sep}`, 'scandir')
  return await promises.readdir(path, ...rest)
}
syncBuiltinESMExports()
