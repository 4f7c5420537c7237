// Environments: copies of a project, each known by a record that is on disk before
// the copy is.
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { createHash } from 'node:crypto'
import { Problem } from './errors.mjs'
import { Workspace } from './workspace.mjs'

const stateDir = () => path.join(process.env.XDG_STATE_HOME || path.join(os.homedir(), '.local', 'state'), 'conformance-node-provider')
const blank = (text) => typeof text !== 'string' || text.trim() === ''
const first = (...texts) => texts.find((text) => !blank(text))

const syncPolicy = {
  defaultSyncMode: 'workspace_sync',
  modes: [{
    value: 'workspace_sync', label: 'Copy', description: 'A copy of the project', pathFolder: 'conformance-node-provider',
    createsGitWorktree: false, usesWorkspaceSync: true, cleanup: 'filesystem',
  }],
}

// plan says where the environment of a message is, or would be.
export function plan(message) {
  const project = first(message.projectPath, message.parentProjectPath, message.parentPath)
  const name = first(message.environmentName, 'environment')
  const id = first(message.environmentId, process.env.environmentId, name)
  const key = createHash('sha256').update(`${project ?? ''}\0${id}`).digest('hex').slice(0, 16)
  const clean = name.replace(/[^A-Za-z0-9_.-]/g, '-').replace(/^[.-]+/, '').slice(0, 40) || 'env'
  const requested = first(message.environmentPath, message.requestedPath, message.resolvedPath, message.path)
  const where = requested ? path.resolve(project ?? '/', requested) : path.join(stateDir(), `${clean}-${key}`)
  return { project, name, id, key, requested, where }
}

// placement is how an answer tells where an environment is.
export function placement(p) {
  return {
    resolvedPath: p.where, environmentPath: p.where, ...(p.requested && { requestedPath: p.requested }),
    pathSource: p.requested ? 'user_override' : 'provider_proposed', syncMode: 'workspace_sync', mergeStrategy: 'workspace_sync',
    ...(p.project && { parentPath: p.project }), syncPolicy, defaultSyncMode: 'workspace_sync',
    supportedSyncModes: ['workspace_sync'], supportedMergeStrategies: ['workspace_sync'],
  }
}

// resolved is where a path leads that need not exist yet.
function resolved(where) {
  try {
    return fs.realpathSync(where)
  } catch {
    return where === '/' ? where : path.join(resolved(path.dirname(where)), path.basename(where))
  }
}

function check(message, p) {
  if (blank(message.environmentName)) throw new Problem('invalid', 'environmentName is missing')
  for (const [field, text] of Object.entries({ environmentName: message.environmentName, projectPath: p.project, environmentPath: p.requested })) {
    if (text !== undefined && /[\0-\x1f\x7f]/.test(text)) throw new Problem('invalid', `${field} has a control character`)
  }
  if (Buffer.byteLength(message.environmentName) > 255) throw new Problem('invalid', 'environmentName has more than 255 bytes')
  if (!p.project) throw new Problem('invalid', 'projectPath is missing')
  if (!path.isAbsolute(p.project)) throw new Problem('invalid', `projectPath ${p.project} is not absolute`)
  const info = fs.statSync(p.project, { throwIfNoEntry: false })
  if (!info) throw new Problem('not_found', `projectPath ${p.project} does not exist`)
  if (!info.isDirectory()) throw new Problem('invalid', `projectPath ${p.project} is no folder`)
  const holds = (a, b) => a === b || b.startsWith(a.endsWith('/') ? a : a + '/')
  for (const where of [p.where, resolved(p.where)]) {
    for (const project of [p.project, fs.realpathSync(p.project)]) {
      if (holds(where, project) || holds(project, where)) throw new Problem('invalid', `an environment at ${p.where} and its project would be one in the other`)
    }
  }
  if ([os.homedir(), '/'].includes(p.where)) throw new Problem('invalid', `${p.where} is no place for an environment`)
}

function writeRecord(file, record) {
  const draft = `${file}.new`
  const fd = fs.openSync(draft, 'w', 0o600)
  fs.writeFileSync(fd, JSON.stringify(record))
  fs.fsyncSync(fd)
  fs.closeSync(fd)
  fs.renameSync(draft, file)
}

// open makes the environment of a message or, when it is on record, finds it. What
// an earlier life left half made is made anew; what another owns is left alone.
export function open(message) {
  const p = plan(message)
  check(message, p)
  fs.mkdirSync(stateDir(), { recursive: true, mode: 0o700 })
  const file = path.join(stateDir(), `${p.key}.json`)
  let record
  if (fs.existsSync(file)) {
    record = JSON.parse(fs.readFileSync(file, 'utf8'))
    p.where = record.where
  }
  const draft = `${p.where}.making-${p.key}`
  const attached = record?.complete === true
  if (attached && !fs.existsSync(p.where)) throw new Problem('conflict', `the environment's folder ${p.where} is gone`)
  if (!attached) {
    const there = fs.existsSync(p.where) && !record
    if (there && fs.readdirSync(p.where).length > 0) throw new Problem('exists', `${p.where} exists and is not empty`)
    record = { where: p.where, name: p.name, complete: false }
    writeRecord(file, record)
    try {
      fs.rmSync(draft, { recursive: true, force: true })
      fs.mkdirSync(path.dirname(p.where), { recursive: true })
      fs.cpSync(p.project, draft, {
        recursive: true, verbatimSymlinks: true, filter: (from) => !['.git', 'node_modules'].includes(path.basename(from)),
      })
      if (there) fs.rmdirSync(p.where)
      if (!fs.existsSync(p.where)) fs.renameSync(draft, p.where)
      writeRecord(file, { ...record, complete: true })
    } catch (err) {
      fs.rmSync(draft, { recursive: true, force: true })
      fs.rmSync(file, { force: true })
      throw err
    }
    fs.rmSync(draft, { recursive: true, force: true })
  }
  const resourceId = `node:v1:${p.key}`
  return {
    name: message.environmentName, id: p.id, resourceId, attached, workspace: new Workspace(fs.realpathSync(p.where)),
    result: {
      success: true, environmentName: message.environmentName, environmentId: p.id, agentServerUrl: '', workspacePath: p.where,
      transport: 'custom', resourceId, ...(attached && { attached }), ...placement(p),
    },
    same: (other) => {
      const q = plan(other)
      return other.environmentName === message.environmentName && q.key === p.key && q.requested === p.requested
    },
  }
}
