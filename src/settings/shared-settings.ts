import { choice, TEXT } from './kinds.js'
import { optional, setting } from './setting.js'

/** Settings that the service and the agent have alike. */
export const SHARED_SETTINGS = {
  logLevel: setting('CORELO_LOG_LEVEL', choice('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'), {
    byDefault: 'info',
    meaning: 'Lowest level to log. The service logs each request as one line at `info`.'
  }),
  hostRoot: optional('CORELO_HOST_ROOT', TEXT, {
    defaultText: '/host where that exists, else /',
    meaning: "Root of the host's file system, for its os-release."
  })
}
