/** The service as an operator runs it, on a free port, printing where. Settings come from the environment. */
process.env.CORELO_PORT = '0'
process.env.CORELO_LOG_LEVEL = 'warn'
process.env.CORELO_TRUST_UPLOADS = 'true'
const { loadConfig } = await import('../dist/http/config.js')
const { serve } = await import('../dist/http/server.js')
const { address } = await serve(loadConfig(process.env))
console.log(JSON.stringify({ address }))
