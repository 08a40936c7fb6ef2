// What the library exports, with what the code says of it.
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const entry = fileURLToPath(new URL('../../src/index.ts', import.meta.url))
const tsconfig = fileURLToPath(new URL('../../tsconfig.engine.json', import.meta.url))

/** The functions that src/index.ts exports, and the members of the types that end with Options, in the order of their names. */
export function readLibrary () {
  const { options: compilerOptions } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(tsconfig, ts.sys.readFile).config, ts.sys, fileURLToPath(new URL('../..', import.meta.url))
  )
  const program = ts.createProgram([entry], { ...compilerOptions, noEmit: true })
  const checker = program.getTypeChecker()
  const source = program.getSourceFile(entry)
  /** The first paragraph of what is said of it. */
  const textOf = symbol => ts.displayPartsToString(symbol.getDocumentationComment(checker)).split(/\n\s*\n/)[0].replaceAll(/\s+/g, ' ')
  const plain = type => type.replaceAll('<ArrayBufferLike>', '')
  const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(source))
    .map(symbol => (symbol.flags & ts.SymbolFlags.Alias) === 0 ? symbol : checker.getAliasedSymbol(symbol))
    .sort((a, b) => a.name < b.name ? -1 : 1)

  const functions = exported.filter(symbol => (symbol.flags & ts.SymbolFlags.Function) !== 0).map(symbol => {
    const [signature] = checker.getTypeOfSymbolAtLocation(symbol, source).getCallSignatures()
    return {
      signature: `${symbol.name} ${plain(checker.signatureToString(signature, undefined, ts.TypeFormatFlags.NoTruncation))}`,
      text: textOf(symbol)
    }
  })
  const options = exported.filter(({ name }) => name.endsWith('Options')).map(symbol => ({
    name: symbol.name,
    rows: checker.getPropertiesOfType(checker.getDeclaredTypeOfSymbol(symbol)).map(member => ({
      name: member.name,
      type: plain(checker.typeToString(
        checker.getNonNullableType(checker.getTypeOfSymbolAtLocation(member, source)), undefined, ts.TypeFormatFlags.NoTruncation
      )),
      text: textOf(member)
    }))
  }))
  return { functions, options }
}
