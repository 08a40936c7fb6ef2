import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { spec as agent } from '../../src/cli/agent.js'
import { parseArguments, type CommandSpec } from '../../src/cli/arguments.js'
import { ExitCode } from '../../src/cli/exit-code.js'
import { spec as btfDiff } from '../../src/cli/btf/diff.js'
import { spec as btfExport } from '../../src/cli/btf/export.js'
import { spec as btfHistory } from '../../src/cli/btf/history.js'
import { spec as btfImport } from '../../src/cli/btf/import.js'
import { spec as btfList } from '../../src/cli/btf/list.js'
import { spec as btfMin } from '../../src/cli/btf/min.js'
import { spec as btfSync } from '../../src/cli/btf/sync.js'
import { spec as check } from '../../src/cli/check.js'
import { spec as btfTypes } from '../../src/cli/btf/types.js'
import { spec as inspect } from '../../src/cli/inspect.js'
import { spec as keysGenerate } from '../../src/cli/keys/generate.js'
import { spec as keysRotate } from '../../src/cli/keys/rotate.js'
import { spec as keysShow } from '../../src/cli/keys/show.js'
import { spec as keysToken } from '../../src/cli/keys/token.js'
import { spec as keysVerify } from '../../src/cli/keys/verify.js'
import { spec as relocateSpec } from '../../src/cli/relocate.js'
import { spec as serve } from '../../src/cli/serve.js'
import * as library from '../../src/index.js'
import { VARIABLES } from '../../src/settings/listed-settings.js'
import { corelo, ROOT, SAMPLE, UNGUARDED } from './corelo.js'

const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')
const pages = readdirSync(join(ROOT, 'docs')).filter(name => name.endsWith('.md')).map(name =>
  readFileSync(join(ROOT, 'docs', name), 'utf8'))
const map = readFileSync(join(ROOT, 'docs/architecture.md'), 'utf8')
const documents = [readme, ...pages].join('\n')
const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
/** Commands of which the pages show every option. */
const shownWhole: Record<string, CommandSpec> = {
  agent,
  check,
  'btf diff': btfDiff,
  'btf export': btfExport,
  'btf history': btfHistory,
  'btf import': btfImport,
  'btf list': btfList,
  'btf min': btfMin,
  'btf sync': btfSync,
  'btf types': btfTypes,
  inspect,
  'keys token': keysToken,
  relocate: relocateSpec,
  serve
}
const specs: Record<string, CommandSpec> = {
  ...shownWhole, 'keys generate': keysGenerate, 'keys rotate': keysRotate, 'keys show': keysShow, 'keys verify': keysVerify
}

/** Lines of code blocks that start with a word, as a shell would split them. */
function commandLines (word: string): string[][] {
  const blocks = [...documents.matchAll(/^```\w*\n([\s\S]*?)^```$/gm)].flatMap(([, block = '']) => block.split('\n'))
  return blocks.filter(line => line.startsWith(`${word} `)).map(line => line.match(/'[^']*'|\S+/g) ?? [])
}

/** The command of a line, of one word or of two, and what it is given; redirections are the shell's. */
function commandOf ([, first = '', second = '', ...rest]: readonly string[]): { spec: CommandSpec, args: string[] } {
  const two = specs[`${first} ${second}`]
  const spec = two ?? specs[first]
  if (spec === undefined) throw new Error(`The README shows an unknown command: ${first} ${second}`)
  const args = (two === undefined ? [second, ...rest] : rest).filter(word => word !== '')
  const redirection = args.findIndex(word => /^\d?>/.test(word))
  return { spec, args: (redirection === -1 ? args : args.slice(0, redirection)).map(word => word.replace(/^'(.*)'$/, '$1')) }
}

describe('README', () => {
  it('has at most 200 lines', () => {
    expect(readme.split('\n').length).toBeLessThanOrEqual(201)
  })

  it('and the pages name no settings that are not there', () => {
    expect([...documents.matchAll(/CORELO_[A-Z_]+/g)].filter(([name]) => !VARIABLES.has(name))).toEqual([])
  })

  it('shows command lines that the command takes', () => {
    const lines = commandLines('corelo')
    expect(lines.length).toBeGreaterThan(5)
    for (const line of lines) {
      const { spec, args } = commandOf(line)
      expect(() => parseArguments(spec, args)).not.toThrow()
    }
  })

  it('shows every option of the commands', () => {
    for (const spec of Object.values(shownWhole)) {
      for (const [name, { short }] of Object.entries(spec.options)) {
        if (name === 'help') continue
        const isShown = commandLines('corelo').map(commandOf).some(({ spec: shown, args }) =>
          shown === spec && (args.includes(`--${name}`) || args.includes(`-${short}`)))
        expect(isShown, `${spec.name} --${name}`).toBe(true)
      }
    }
  })

  it('names npm scripts that exist', () => {
    const named = [...readme.matchAll(/npm run ([\w:-]+)|npm (test|start)\b/g)].map(([, run, direct]) => run ?? direct)
    expect(named.length).toBeGreaterThan(5)
    for (const name of named) expect(Object.keys(scripts)).toContain(name)
  })

  it('links to files that exist', () => {
    const linksOf = (text: string): string[] =>
      [...text.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)].flatMap(([, path = '']) => path.startsWith('https:') ? [] : path)
    expect(linksOf(readme).filter(path => !existsSync(join(ROOT, path)))).toEqual([])
    expect(linksOf(pages.join('\n')).filter(path => !existsSync(join(ROOT, 'docs', path)))).toEqual([])
  })

  it('leads to a map that names every folder of the source', () => {
    const rows = [...map.matchAll(/^\| (`[\w-]+\/[^|]*) \|/gm)].map(([, cell = '']) => cell)
    const folders = rows.flatMap(cell => [...cell.matchAll(/([\w-]+)\//g)].map(([, name]) => name))
    const there = readdirSync(join(ROOT, 'src'), { withFileTypes: true }).filter(entry => entry.isDirectory()).map(({ name }) => name)
    expect(folders.toSorted()).toEqual(there.toSorted())
  })

  it('leads to a map whose files are there, at most four for a change', () => {
    const isThere = (path: string): boolean => ['src', ''].some(folder => existsSync(join(ROOT, folder, path)))
    const named = [...map.matchAll(/`((?:[\w-]+\/)+(?:[\w.-]+\.\w+)?|[\w-]+\.ts)`/g)].map(([, path = '']) => path)
    expect(named.length).toBeGreaterThan(80)
    // Three folders of the cache, and a file of the source that the table names without its folder.
    const elsewhere = ['content/index/', 'content/layout/', 'content/result/', 'deb-kernels.ts']
    expect(named.filter(path => !isThere(path) && !elsewhere.includes(path))).toEqual([])

    const [, table = ''] = /^## Which file to open for which change$([\s\S]*?)(?=^## |$(?![\s\S]))/m.exec(map) ?? []
    const changes = [...table.matchAll(/^\| (?!change|---)(.+?) \| (.+) \|$/gm)]
    expect(changes.length).toBeGreaterThanOrEqual(10)
    const filesOf = (cell: string): string[] =>
      [...cell.matchAll(/`([^`]+)`/g)].map(([, path = '']) => path).filter(path => !path.startsWith('npm '))
    for (const [, change = '', cell = ''] of changes) expect(filesOf(cell).length, change).toBeLessThanOrEqual(4)
    const folders = changes.flatMap(([, , cell = '']) => filesOf(cell)).flatMap(path => /^(.*)<\w+>/.exec(path)?.[1] ?? [])
    expect(folders.length).toBeGreaterThan(0)
    expect(folders.filter(path => !isThere(path))).toEqual([])
  })

  it('states the exit codes as they are', () => {
    expect(documents.replaceAll('\n', ' ')).toContain(
      `${ExitCode.OK} success, ${ExitCode.FINDING} a finding (the object fails on that kernel), ${ExitCode.USAGE} wrong use, ` +
        `${ExitCode.CANNOT_TELL} undecided`
    )
  })

  it('shows a message that the command prints, with what to write instead', async () => {
    const [shown = 'none'] = /^unguarded\.bpf\.c:[\s\S]*?(?=^```$)/m.exec(readme) ?? []
    expect(shown.split('\n').length).toBeGreaterThan(10)
    expect((await corelo(['relocate', UNGUARDED, '--btf', SAMPLE, '-o', '-'])).stderr).toContain(shown)
  })

  it('shows a relocation as the report has it', async () => {
    const [, shown = ''] = /^```json\n(\{[\s\S]*?)^```$/m.exec(readFileSync(join(ROOT, 'docs/report.md'), 'utf8')) ?? []
    const report = JSON.parse((await corelo(['relocate', UNGUARDED, '--btf', SAMPLE, '--json'])).stdout.toString())
    expect(report.relocations).toEqual([JSON.parse(shown)])
  })

  it('imports what the library exports', () => {
    const [, names = ''] = /^import \{ ([^}]+) \} from 'corelo'$/m.exec(documents) ?? []
    expect(names.split(', ').filter(name => !(name in library))).toEqual([])
  })

  it('names no address of a machine or of a registry', () => {
    expect(readme).not.toMatch(/https?:\/\/(?!127\.0\.0\.1:8080|corelo:8080)/)
    expect(readme).not.toMatch(/\/(work|root|home|tmp)\//)
  })
})
