import neostandard from 'neostandard'
import tseslint from 'typescript-eslint'

const engine = ['src/bytes', 'src/elf', 'src/btf', 'src/insn', 'src/core', 'src/layout']

export default [
  { ignores: ['dist/', 'coverage/', '.lab/', 'btfhub-cache/'] },
  ...neostandard({ ts: true }),
  {
    files: ['src/**/*.ts', 'test/**/*.ts', 'bench/**/*.ts', 'page/**/*.{ts,tsx}'],
    languageOptions: {
      parser: tseslint.parser,
      parserOptions: { project: ['tsconfig.engine.json', 'tsconfig.app.json', 'tsconfig.test.json', 'page/tsconfig.json'], tsconfigRootDir: import.meta.dirname }
    },
    plugins: { '@typescript-eslint': tseslint.plugin },
    rules: {
      '@typescript-eslint/no-redeclare': 'off', // refuses a constant and its type under one name, which is how we write enums
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unnecessary-type-assertion': 'error',
      'no-labels': 'error'
    }
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      'no-restricted-syntax': ['error', {
        selector: "CallExpression[callee.name=/^mkdir/] Property[key.name='recursive']",
        message: 'It never ends below /proc and /sys: use makeFolder of src/store/folder.ts.'
      }]
    }
  },
  {
    files: ['src/**/*.ts', 'page/**/*.{ts,tsx}', 'bench/**/*.{mjs,ts}', 'scripts/**/*.{mjs,ts}'],
    rules: { '@stylistic/max-len': ['error', { code: 140, tabWidth: 2 }] }
  },
  {
    files: ['test/**/*.{mjs,ts}'],
    // A regular expression cannot be broken.
    rules: { '@stylistic/max-len': ['error', { code: 140, tabWidth: 2, ignoreRegExpLiterals: true }] }
  },
  {
    files: ['page/**/*.{ts,tsx}'],
    rules: {
      '@typescript-eslint/no-restricted-imports': ['error', {
        patterns: [{ group: ['**/src/**'], allowTypeImports: true, message: 'The page knows the service by its answers: it imports types alone.' }]
      }]
    }
  },
  {
    files: engine.map(folder => `${folder}/**/*.ts`),
    rules: {
      'no-restricted-globals': ['error', 'process', 'Buffer', 'console', 'setTimeout', 'performance', 'fetch'],
      'no-restricted-imports': ['error', { patterns: [{ regex: '^[^.]', message: 'The engine imports no package and no node: module.' }] }]
    }
  }
]
