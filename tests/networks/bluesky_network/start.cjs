'use strict'
// The Bluesky network on loopback only: a PLC directory, a PDS and the AppView that indexes it.
// usage: node start.cjs <plc port> <pds port> <appview port> <postgres url> <redis host:port> <data folder>
// Prints one line of JSON when all listen.
const net = require('node:net')

// The servers call listen(port), which would bind every interface.
const listen = net.Server.prototype.listen
net.Server.prototype.listen = function (...args) {
  const ready = args.find((arg) => typeof arg === 'function')
  const first = args[0]
  if (first && typeof first === 'object' && 'port' in first && !('host' in first)) {
    return listen.call(this, { ...first, host: '127.0.0.1' }, ready)
  }
  if (first === undefined || typeof first === 'number' || /^\d+$/.test(String(first))) {
    return listen.call(this, { port: Number(first || 0), host: '127.0.0.1' }, ready)
  }
  return listen.apply(this, args)
}

const [plcPort, pdsPort, appviewPort] = process.argv.slice(2, 5).map(Number)
process.env.DB_POSTGRES_URL = process.argv[5]
process.env.REDIS_HOST = process.argv[6]
process.env.LOG_ENABLED = 'false'
// Only letters and underscores are taken as a schema's name.
process.env.DB_POSTGRES_SCHEMA = 'appview'
const { TestNetwork } = require('@atproto/dev-env')

async function main() {
  const network = await TestNetwork.create({
    plc: { port: plcPort },
    pds: { port: pdsPort, hostname: 'localhost', enableDidDocWithSession: true },
    bsky: { port: appviewPort },
  })
  console.log(JSON.stringify({ ready: true }))
  const stop = async () => {
    await network.close().catch(() => {})
    process.exit(0)
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
