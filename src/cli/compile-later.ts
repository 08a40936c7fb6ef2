import { setFlagsFromString } from 'node:v8'

/**
 * Options of V8 by its version, with which it compiles what runs often later than by itself. What it compiles in the background while a
 * command runs for a second or two mostly pays off after its end: a fifth of a check's time on Node 20, a seventh on Node 22. What runs
 * for longer is still compiled. Node 24 waits long enough by itself.
 */
const OPTIONS: Readonly<Record<string, string>> = {
  11.3: '--interrupt-budget=1000000',
  12.4: '--invocation-count-for-turbofan=6000'
}

/** For a command that does much and ends soon. To be called before it begins. */
export function compileLater (): void {
  const option = OPTIONS[process.versions.v8.split('.').slice(0, 2).join('.')]
  if (option !== undefined) setFlagsFromString(option)
}
