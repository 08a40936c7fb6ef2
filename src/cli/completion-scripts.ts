/** A command line as shells complete it: the words before, and what may follow them. */
export interface Completion {
  /** `btf import`; empty for `corelo` alone. */
  readonly command: string
  readonly subcommands: ReadonlyArray<{ readonly name: string, readonly summary: string }>
  /** Long names, without the dashes. */
  readonly options: ReadonlyArray<{ readonly name: string, readonly takesValue: boolean, readonly help: string }>
}

export const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = typeof SHELLS[number]

/** The script that a shell reads to complete `corelo`. Where neither a command nor an option can stand, it completes files. */
export function completionScript (shell: Shell, completions: readonly Completion[]): string {
  switch (shell) {
    case 'bash': return bashScript(completions)
    case 'zsh': return zshScript(completions)
    case 'fish': return fishScript(completions)
    default: return shell satisfies never
  }
}

function bashScript (completions: readonly Completion[]): string {
  const cases = completions.map(({ command, subcommands, options }) => {
    const words = [...subcommands.map(({ name }) => name), ...options.map(({ name }) => `--${name}`)]
    return `    ${quote(command)}) words=${quote(words.join(' '))} ;;`
  })
  return `# bash completion of corelo. Source it: source <(corelo completion bash)
_corelo () {
  local current=\${COMP_WORDS[COMP_CWORD]} command= words= word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "\${command:+$command }$word" in
${knownCommands(completions)}
    esac
  done
  case $command in
${cases.join('\n')}
  esac
  COMPREPLY=()
  if [[ $current == -* || -z $command || $command == btf || $command == keys ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  fi
}
complete -o default -o bashdefault -F _corelo corelo
`
}

function zshScript (completions: readonly Completion[]): string {
  const cases = completions.map(({ command, subcommands, options }) => [
    `    ${quote(command)})`,
    `      names=(${subcommands.map(({ name, summary }) => quote(`${name}:${summary}`)).join(' ')})`,
    `      options=(${options.map(({ name, help }) => quote(`--${name}:${help}`)).join(' ')}) ;;`
  ].join('\n'))
  return `#compdef corelo
# zsh completion of corelo. Put it into a folder of $fpath as _corelo, or: source <(corelo completion zsh)
_corelo () {
  local command= word
  local -a names options
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "\${command:+$command }$word" in
${knownCommands(completions)}
    esac
  done
  case $command in
${cases.join('\n')}
  esac
  if [[ \${words[CURRENT]} == -* ]]; then
    _describe option options
  elif (( \${#names} )); then
    _describe command names
  else
    _files
  fi
}
compdef _corelo corelo
`
}

function fishScript (completions: readonly Completion[]): string {
  const lines = completions.flatMap(({ command, subcommands, options }) => {
    const condition = quote(`__corelo_is ${command}`.trimEnd())
    return [
      ...subcommands.map(({ name, summary }) => `complete -c corelo -n ${condition} -f -a ${quote(name)} -d ${quote(summary)}`),
      ...options.map(({ name, takesValue, help }) =>
        `complete -c corelo -n ${condition} -l ${quote(name)}${takesValue ? ' -r' : ''} -d ${quote(help)}`)
    ]
  })
  return `# fish completion of corelo. corelo completion fish > ~/.config/fish/completions/corelo.fish
function __corelo_is
  set -l command
  for word in (commandline -opc)[2..]
    switch (string join ' ' -- $command $word)
      case ${completions.filter(({ command }) => command !== '').map(({ command }) => quote(command)).join(' ')}
        set command $command $word
    end
  end
  test "$command" = "$argv"
end
${lines.join('\n')}
`
}

/** Words that go on with the command, as cases of bash and zsh. */
function knownCommands (completions: readonly Completion[]): string {
  const names = completions.filter(({ command }) => command !== '').map(({ command }) => quote(command))
  return `      ${names.join('|')}) command="\${command:+$command }$word" ;;`
}

/** For all three shells: within single quotes nothing counts but a quote, and in fish a backslash. */
function quote (text: string): string { return `'${text.replaceAll('\\', '').replaceAll("'", '’')}'` }
