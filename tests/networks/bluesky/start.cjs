'use strict'
// A real PLC directory (in memory) and a real Bluesky PDS, on loopback only.
// usage: node start.cjs <pds port> <plc port> <data folder>; prints one line of JSON when both listen.
const net = require('node:net')
const path = require('node:path')
const fs = require('node:fs')
const crypto = require('node:crypto')

// Both servers call listen(port), which would bind every interface.
const listen = net.Server.prototype.listen
net.Server.prototype.listen = function (...args) {
  if (typeof args[0] === 'number' || typeof args[0] === 'string') {
    const ready = args.find((arg) => typeof arg === 'function')
    return listen.call(this, { port: Number(args[0]), host: '127.0.0.1' }, ready)
  }
  return listen.apply(this, args)
}

const [pdsPort, plcPort] = [Number(process.argv[2]), Number(process.argv[3])]
const data = path.resolve(process.argv[4])
fs.mkdirSync(path.join(data, 'blobs'), { recursive: true })
const { PlcServer, Database } = require('@did-plc/server')
const { PDS, envToCfg, envToSecrets, readEnv } = require('@atproto/pds')
const hex = (bytes) => crypto.randomBytes(bytes).toString('hex')

Object.assign(process.env, {
  PDS_PORT: String(pdsPort),
  PDS_HOSTNAME: 'localhost',
  PDS_DEV_MODE: 'true',
  PDS_SERVICE_HANDLE_DOMAINS: '.test',
  PDS_INVITE_REQUIRED: 'false',
  PDS_DATA_DIRECTORY: data,
  PDS_BLOBSTORE_DISK_LOCATION: path.join(data, 'blobs'),
  PDS_BLOBSTORE_DISK_TMP_LOCATION: path.join(data, 'tmp'),
  PDS_DID_PLC_URL: `http://127.0.0.1:${plcPort}`,
  PDS_BSKY_APP_VIEW_URL: 'http://127.0.0.1:9',
  PDS_BSKY_APP_VIEW_DID: 'did:web:localhost',
  PDS_JWT_SECRET: hex(16),
  PDS_ADMIN_PASSWORD: hex(16),
  PDS_DPOP_SECRET: hex(32),
  PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX: hex(32),
  // The contract makes an account per test; the limit on account creation is not what is tested.
  PDS_RATE_LIMITS_ENABLED: 'false',
  PDS_DISABLE_SSRF_PROTECTION: 'true',
  LOG_ENABLED: 'false',
})

async function main() {
  const plc = PlcServer.create({ db: Database.mock(), port: plcPort })
  await plc.start()
  const env = readEnv()
  const pds = await PDS.create(envToCfg(env), envToSecrets(env))
  await pds.start()
  console.log(JSON.stringify({ ready: true }))
  const stop = async () => {
    await pds.destroy()
    await plc.destroy()
    process.exit(0)
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
