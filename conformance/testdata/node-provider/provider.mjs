#!/usr/bin/env node
// An environment provider in plain Node: the conversation with the server. It is
// an example for authors, and the proof that the conformance suite judges what
// crosses the wire and not what a provider is written in.
import { randomUUID } from 'node:crypto'
import WebSocket from 'ws'
import { kindOf, Problem } from './errors.mjs'
import { open, placement, plan } from './environment.mjs'

const env = process.env
if (!env.SOCKET_PORT) {
  console.error('conformance-node-provider is started by a Codebolt server, which sets SOCKET_PORT and CODEBOLT_SERVER_URL; SOCKET_PORT is not set')
  process.exit(2)
}

// ---- the connection ---------------------------------------------------------

const queryNames = [
  'agentId', 'parentId', 'parentAgentInstanceId', 'agentTask', 'threadToken', 'IS_PROVIDER', 'IS_REMOTE_PROVIDER', 'providerId',
  'environmentId', 'environmentName', 'storedTaskId', 'threadId', 'connectionId', 'PROVIDER_ID', 'ENVIRONMENT_NAME', 'PROJECT_PATH',
  'projectPath', 'projectName',
]
const firstRetry = 500 // milliseconds
const lastRetry = 30_000
const silence = 45_000 // after which a connection counts as dead
const maxQueue = 10_000 // frames
const fullQueue = 32 << 20 // characters; while more waits, nothing further is asked for

let socket
let line // the TCP connection below it
let failures = 0
let pause = 0 // before the present connection
let leaving = false
const queue = [] // frames that are not known to be written
let queued = 0 // characters in it

function address() {
  const query = new URLSearchParams({ id: `ws_${Date.now().toString(36)}_${Math.random().toString(36).slice(2, 13)}` })
  for (const name of queryNames) if (env[name]) query.set(name, env[name])
  if (env.Is_Dev) query.set('dev', 'true')
  return `ws://${env.CODEBOLT_SERVER_URL || 'localhost'}:${env.SOCKET_PORT}/codebolt?${query}`
}

function connect() {
  if (leaving) return
  const ws = new WebSocket(address(), { handshakeTimeout: 10_000 })
  let opened = 0
  let heard = Date.now()
  let spoke = false
  const alive = setInterval(() => {
    if (ws.isPaused) heard = Date.now() // what it says is not read just now
    else if (Date.now() - heard > silence) ws.terminate()
    else if (ws.readyState === WebSocket.OPEN) ws.ping()
  }, 15_000)
  ws.on('unexpected-response', (request, response) => {
    console.error(`the server refuses the connection: ${response.statusCode}`)
    request.destroy()
    if (response.statusCode === 401 || response.statusCode === 403) leave(1)
    else ws.emit('close')
  })
  ws.on('upgrade', (response) => { line = response.socket })
  ws.on('open', () => {
    opened = Date.now()
    socket = ws
    flush()
  })
  ws.on('pong', () => { heard = Date.now() })
  ws.on('message', (data, binary) => {
    heard = Date.now()
    spoke = true
    receive(data, binary)
    if (queued > fullQueue) ws.pause()
  })
  ws.on('error', (err) => console.error(`connection: ${err.code ?? err.message}`))
  ws.on('close', () => {
    clearInterval(alive)
    if (socket === ws) {
      socket = undefined
      flushing = false // what was being sent goes out on the next connection
    }
    // A line that is good for something is called again at once, a peer that only
    // accepts with growing pauses.
    const lasted = opened && Date.now() - opened
    if (lasted > 60_000 || (spoke && lasted >= Math.max(pause, firstRetry))) failures = 0
    pause = Math.min(firstRetry * 2 ** failures++, lastRetry) * (0.5 + Math.random() / 2)
    if (!leaving) setTimeout(connect, pause)
  })
}

function send(message) {
  if (queue.length >= maxQueue) {
    console.error('the server has been away for too long: a message is lost')
    return
  }
  const frame = JSON.stringify(message)
  queue.push(frame)
  queued += frame.length
  flush()
}

let flushing = false
function flush() {
  if (flushing || queue.length === 0 || socket?.readyState !== WebSocket.OPEN) return
  flushing = true
  const [to, over] = [socket, line]
  to.send(queue[0], (err) => {
    // Node names no error for what was half sent when a connection broke.
    if (err || over.destroyed) return // the next connection sends it
    flushing = false
    queued -= queue.shift().length
    if (queued <= fullQueue && to.isPaused) to.resume()
    flush()
  })
}

// leave lets go of the environment, which stays as it is, and ends the process
// when all has been said.
function leave(status, after = 0) {
  if (leaving) return
  leaving = true
  stopBeating()
  const end = () => {
    if (socket?.readyState !== WebSocket.OPEN) process.exit(status)
    socket.on('close', () => process.exit(status))
    socket.close(1000)
    setTimeout(() => process.exit(status), 1000)
  }
  const until = Date.now() + 2000
  const wait = () => (queue.length > 0 && socket && Date.now() < until ? setTimeout(wait, 10) : end())
  setTimeout(wait, after)
}

process.on('SIGTERM', () => (leaving ? process.exit(1) : leave(0)))
process.on('SIGINT', () => (leaving ? process.exit(1) : leave(0)))
const parent = process.ppid
setInterval(() => { if (process.ppid !== parent) leave(1) }, 1000).unref()

// ---- answers ----------------------------------------------------------------

const idOf = (request) => (typeof request.requestId === 'string' && request.requestId ? request.requestId : randomUUID())
const errorOf = (err) => ({ error: err.message || 'unknown error', code: kindOf(err), retryable: kindOf(err) === 'unavailable' })
const event = (action) => ({
  ok: (request, message) => send({ type: 'remoteProviderEvent', action, message, requestId: idOf(request) }),
  fail: (request, err) => send({ type: 'remoteProviderEvent', action, ...errorOf(err), requestId: idOf(request) }),
})
const flat = (type) => ({
  ok: (request, message) => send({ type, message, requestId: idOf(request) }),
  fail: (request, err) => send({ type, ...errorOf(err), requestId: idOf(request) }),
})

// ---- the environment --------------------------------------------------------

let current // the open environment
let ids = { providerId: env.providerId || env.PROVIDER_ID, environmentId: env.environmentId }
let begun
let timers = []

function running() {
  if (!current) throw new Problem('not_running', 'no environment is open')
  return current
}

const status = () => (!current ? 'error' : current.workspace.healthy() ? 'healthy' : 'error')

function beat(extra = {}) {
  send({
    type: 'providerHeartbeat', providerId: ids.providerId, timestamp: new Date().toISOString(), status: status(),
    connectedEnvironments: current ? [ids.environmentId] : [], uptime: Math.floor((Date.now() - begun) / 1000),
    metadata: { transport: 'custom', initialized: Boolean(current) }, requestId: randomUUID(), ...extra,
  })
}

function startBeating() {
  stopBeating()
  let last = status()
  beat()
  timers = [
    setInterval(beat, 10_000),
    setInterval(() => send({
      type: 'environmentHeartbeat', environmentId: ids.environmentId, providerId: ids.providerId, timestamp: new Date().toISOString(),
      environmentAlive: status() !== 'error', requestId: randomUUID(),
    }), 15_000),
    setInterval(() => {
      if (status() === last) return
      last = status()
      beat()
    }, 2000),
  ]
}

function stopBeating() {
  timers.forEach(clearInterval)
  timers = []
}

function start(request) {
  if (current) {
    if (!current.same(request)) throw new Problem('conflict', `the environment ${current.name} is open already`)
    return current.result
  }
  begun ??= Date.now()
  const opened = open(request)
  ids = { providerId: request.providerId || ids.providerId || opened.name, environmentId: opened.id }
  current = opened
  send({ type: 'setResourceId', resourceId: opened.resourceId, ...ids })
  return opened.result
}

// ---- requests ---------------------------------------------------------------

const verbs = {
  providerStart: {
    ...event('providerStartResponse'),
    fail: (request, err) => send({
      type: 'providerStartResponse', action: 'providerStartResponse', success: false, ...errorOf(err),
      environmentId: request.environmentId, environmentName: request.environmentName, requestId: idOf(request),
    }),
    run: start,
    after: startBeating,
  },
  providerStop: {
    ...event('providerStopResponse'),
    run: () => { current = undefined; stopBeating() },
    after: () => leave(0, 1000),
  },
  closeSignal: {
    ...flat('closeSignalResponse'),
    run: () => { current = undefined; stopBeating() },
    after: () => leave(0, 500), // a second one is answered too
  },
  providerReadFile: { ...event('providerReadFileResponse'), run: (request) => running().workspace.read(request.path) },
  providerWriteFile: { ...event('providerWriteFileResponse'), run: (request) => running().workspace.write(request.path, request.content) },
  providerGetTreeChildren: { ...event('providerGetTreeChildrenResponse'), run: (request) => running().workspace.tree(request.path) },
  providerHeartbeatRequest: {
    ok: (request) => beat({ providerId: request.providerId || ids.providerId, uptime: undefined, requestId: idOf(request) }),
    run: () => undefined,
  },
  environmentHeartbeat: {
    ok: (request) => {
      const ours = Boolean(current) && (!request.environmentId || request.environmentId === ids.environmentId)
      send({
        type: 'environmentHeartbeatResponse', environmentId: request.environmentId || ids.environmentId,
        status: ours && status() === 'healthy' ? 'active' : 'unreachable', remoteExecutorStatus: ours ? 'stopped' : 'error',
        timestamp: new Date().toISOString(), requestId: idOf(request),
      })
    },
    run: () => undefined,
  },
  providerProspectivePath: {
    ok: (request, p) => send({
      type: 'remoteProviderEvent', action: 'providerProspectivePathResponse', requestId: idOf(request), status: true, data: p, message: p,
    }),
    fail: (request, err) => send({
      type: 'remoteProviderEvent', action: 'providerProspectivePathResponse', requestId: idOf(request), status: false, ...errorOf(err),
    }),
    run: (request) => {
      const p = placement(plan(request))
      return {
        path: p.resolvedPath, projectPath: p.resolvedPath, ...p, source: p.pathSource,
        ...(p.parentPath && { parentProjectPath: p.parentPath }), editable: true,
      }
    },
  },
}

// What is known and not done here is refused, so that nobody waits for it.
const unsupported = {
  providerAgentStart: event('providerAgentStartResponse'),
  providerDeleteFile: event('providerDeleteFileResponse'),
  providerDeleteFolder: event('providerDeleteFolderResponse'),
  providerRenameItem: event('providerRenameItemResponse'),
  providerCreateFolder: event('providerCreateFolderResponse'),
  providerCopyFile: event('providerCopyFileResponse'),
  providerCopyFolder: event('providerCopyFolderResponse'),
  providerGetFullProject: event('providerGetFullProjectResponse'),
  providerGetDiffFiles: event('providerDiffFilesResponse'),
  providerMergeAsPatch: event('providerMergeAsPatchResponse'),
  providerSendPR: event('providerSendPRResponse'),
  createPatchRequest: flat('createPatchRequestResponse'),
  createPullRequestRequest: flat('createPullRequestRequestResponse'),
  environmentRestartRequest: {
    fail: (request, err) => send({
      type: 'environmentRestartResponse', environmentId: request.environmentId ?? ids.environmentId, success: false,
      message: err.message, code: kindOf(err), timestamp: new Date().toISOString(), requestId: idOf(request),
    }),
  },
}

function receive(data, binary) {
  let request
  try {
    request = binary ? undefined : JSON.parse(data)
  } catch {
    request = undefined
  }
  if (typeof request !== 'object' || request === null || Array.isArray(request)) {
    console.error('a frame that is no JSON object was ignored')
    return
  }
  const known = Object.hasOwn(verbs, request.type) ? request.type : request.action === 'providerProspectivePath' ? request.action : undefined
  if (known) {
    const verb = verbs[known]
    try {
      verb.ok(request, verb.run(request))
    } catch (err) {
      verb.fail(request, err)
      return
    }
    verb.after?.()
  } else if (Object.hasOwn(unsupported, request.type)) {
    unsupported[request.type].fail(request, new Problem('unsupported', `${request.type} is not supported by conformance-node-provider`))
  }
  // Anything else is for a remote runtime, which this provider has none of.
}

connect()
