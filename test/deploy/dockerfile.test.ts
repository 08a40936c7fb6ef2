import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from 'dockerfilelint'
import { validate } from 'dockerfile-utils'
import { describe, expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '../..')
const text = readFileSync(join(ROOT, 'Dockerfile'), 'utf8')
const lines = text.split('\n')
const instructions = text.replaceAll('\\\n', ' ').split('\n').filter(line => /^[A-Z]+ /.test(line))
const all = (name: string): string[] => instructions.filter(line => line.startsWith(`${name} `)).map(line => line.slice(name.length + 1))

describe('Dockerfile', () => {
  it('has nothing that dockerfile-utils finds', () => {
    expect(validate(text).map(({ range, message }) => `${range.start.line + 1}: ${message}`)).toEqual([])
  })

  it('has nothing that dockerfilelint finds, but for what it does not understand', () => {
    const findings = run(ROOT, text).filter(({ line, title }) => {
      const code = lines[line - 1] ?? ''
      return !(title === 'Base Image Missing Tag' &&
        /^FROM (\$\{BASE\}|scratch|common) AS /.test(code)) && // an argument, nothing, another stage
        !(title === 'Invalid Argument Format' && code.startsWith('HEALTHCHECK ')) // options of it
    })
    expect(findings).toEqual([])
  })

  it('pins its base to a version', () => {
    expect(all('ARG')[0]).toMatch(/^BASE=docker\.io\/library\/node:\d+\.\d+\.\d+-[a-z]+-slim$/)
  })

  it('has a base that the project runs on, of a release line with long-term support', () => {
    const [, major] = /node:(\d+)/.exec(text) ?? []
    expect(Number(major) % 2).toBe(0)
    expect(Number(major)).toBeGreaterThanOrEqual(24)
  })

  it('says by number who runs the service, for Kubernetes to see that it is not root', () => {
    expect(all('USER').at(-1)).toBe('10001:10001')
  })

  it('decides for nobody that a service may be called by everybody', () => {
    expect(all('ENV').join(' ')).not.toContain('CORELO_AUTH')
  })

  it('makes the service where no target is named', () => {
    expect(all('FROM').at(-1)).toBe('common AS service')
  })

  it('copies nothing that .dockerignore keeps from it', () => {
    const letIn = readFileSync(join(ROOT, '.dockerignore'), 'utf8').split('\n').filter(line => line.startsWith('!')).map(line =>
      line.slice(1))
    const copied = all('COPY').filter(line => !line.startsWith('--from=')).flatMap(line => line.split(' ').slice(0, -1))
    expect(copied.filter(path => !letIn.some(entry =>
      path === entry || path.startsWith(`${entry}/`) || (entry === 'tsconfig*.json' && /^tsconfig\..*json$/.test(path))))).toEqual([])
  })
})
