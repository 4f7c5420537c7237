// The file requests, confined to one folder. Every folder of a path is held open
// while the next is looked up in it, through /proc/self/fd: what others do to the
// tree meanwhile, links they swap in included, leads nowhere outside. That needs
// Linux.
import fs from 'node:fs'
import path from 'node:path'
import { randomBytes } from 'node:crypto'
import { Problem } from './errors.mjs'

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = fs.constants
const folderFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW
const maxLinks = 40
const maxEntries = 50_000
const maxRead = 64 << 20

export class Workspace {
  constructor(root) {
    this.root = root
  }

  // parts are the names a path consists of, without what is not one.
  #parts(given, rootNames = []) {
    if (typeof given !== 'string' && !(given === undefined && rootNames.length)) throw new Problem('invalid', 'the path is missing or no text')
    let p = given === undefined || rootNames.includes(given) ? '' : given
    if (/[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(p)) throw new Problem('invalid', 'the path has a control character')
    if (path.isAbsolute(p) && p !== '/') {
      const rel = path.relative(this.root, p)
      if (rel === '..' || rel.startsWith('../')) throw new Problem('outside_workspace', `${p} is outside the workspace`)
      p = rel
    }
    const parts = []
    for (const part of p.split('/')) {
      if (part === '' || part === '.') continue
      if (part !== '..') parts.push(part)
      else if (parts.pop() === undefined) throw new Problem('outside_workspace', `${given} is outside the workspace`)
    }
    return parts
  }

  // within calls f with the open folder and the name that parts lead to. The name
  // is no link when it is looked at; whoever opens it does not follow one either.
  // A name of undefined is the root itself.
  #within(parts, { make = false } = {}, f) {
    const held = [fs.openSync(this.root, folderFlags)]
    try {
      let rest = [...parts]
      let hops = 0
      while (rest.length > 0) {
        const [name, ...after] = rest
        if (name === '..') {
          if (held.length === 1) throw new Problem('outside_workspace', 'a link leads outside the workspace')
          fs.closeSync(held.pop())
          rest = after
          continue
        }
        const at = `/proc/self/fd/${held.at(-1)}/${name}`
        const target = linkTarget(at)
        if (target !== undefined) {
          if (++hops > maxLinks) throw new Problem('invalid', 'too many links')
          let lead = target.split('/').filter((part) => part !== '' && part !== '.')
          if (target.startsWith('/')) {
            const inside = path.relative(this.root, target)
            if (inside === '..' || inside.startsWith('../')) throw new Problem('outside_workspace', 'a link leads outside the workspace')
            while (held.length > 1) fs.closeSync(held.pop())
            lead = inside.split('/').filter(Boolean)
          }
          rest = [...lead, ...after]
          continue
        }
        if (after.length === 0) return f(held.at(-1), name)
        if (make) {
          try {
            fs.mkdirSync(at)
          } catch (err) {
            if (err.code !== 'EEXIST') throw err
          }
        }
        held.push(fs.openSync(at, folderFlags))
        rest = after
      }
      return f(held.at(-1), undefined)
    } finally {
      for (const fd of held) fs.closeSync(fd)
    }
  }

  read(given) {
    return this.#within(this.#parts(given), {}, (folder, name) => {
      if (name === undefined) throw new Problem('invalid', 'the workspace itself is a folder')
      const fd = fs.openSync(`/proc/self/fd/${folder}/${name}`, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
      try {
        const info = fs.fstatSync(fd)
        if (!info.isFile()) throw new Problem('invalid', `${given} is no file`)
        if (info.size > maxRead) throw new Problem('too_large', `${given} has ${info.size} bytes`)
        const data = fs.readFileSync(fd)
        try {
          return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data)
        } catch {
          throw new Problem('invalid', `${given} is no UTF-8 text; this provider has no encoding "base64"`)
        }
      } finally {
        fs.closeSync(fd)
      }
    })
  }

  // write replaces a file at once and whole, and keeps its mode.
  write(given, content) {
    if (typeof content !== 'string') throw new Problem('invalid', 'the content is missing or no text')
    const parts = this.#parts(given)
    if (parts.includes('.git')) throw new Problem('permission', `${given} belongs to git`)
    this.#within(parts, { make: true }, (folder, name) => {
      if (name === undefined) throw new Problem('invalid', 'the workspace itself is a folder')
      const at = `/proc/self/fd/${folder}/${name}`
      const before = fs.lstatSync(at, { throwIfNoEntry: false })
      if (before && !before.isFile()) throw new Problem('invalid', `${given} is no file`)
      const draft = `/proc/self/fd/${folder}/.node-provider-${randomBytes(6).toString('hex')}`
      const fd = fs.openSync(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o644)
      try {
        fs.writeFileSync(fd, content)
        if (before) fs.fchmodSync(fd, before.mode & 0o7777)
        fs.renameSync(draft, at)
      } catch (err) {
        fs.rmSync(draft, { force: true })
        throw err
      } finally {
        fs.closeSync(fd)
      }
    })
  }

  // tree lists a folder; what is absent or none is empty.
  tree(given) {
    const parts = this.#parts(given, ['root'])
    try {
      return this.#within(parts, {}, (folder, name) => {
        if (name === undefined) return this.#list(folder, parts)
        const fd = fs.openSync(`/proc/self/fd/${folder}/${name}`, folderFlags)
        try {
          return this.#list(fd, parts)
        } finally {
          fs.closeSync(fd)
        }
      })
    } catch (err) {
      if (['ENOENT', 'ENOTDIR'].includes(err.code)) return []
      throw err
    }
  }

  #list(fd, parts) {
    const names = fs.readdirSync(`/proc/self/fd/${fd}`)
    if (names.length > maxEntries) throw new Problem('too_large', `the folder has ${names.length} entries`)
    const entries = []
    for (const name of names) {
      const at = `/proc/self/fd/${fd}/${name}`
      const info = fs.lstatSync(at, { throwIfNoEntry: false })
      if (!info) continue
      let isFolder = info.isDirectory()
      if (info.isSymbolicLink()) {
        try {
          isFolder = this.#within([...parts, name], {}, (folder, last) => last === undefined || fs.lstatSync(`/proc/self/fd/${folder}/${last}`).isDirectory())
        } catch {
          isFolder = false // it leads nowhere, or outside
        }
      }
      if (isFolder ? name.startsWith('.') && !['.codebolt', '.codeboltAgents'].includes(name) : name === '.DS_Store' || name === '.git') continue
      const id = [...parts, name].join('/')
      entries.push({ id, name, path: path.join(this.root, id), isFolder, size: isFolder ? 0 : info.size, lastModified: info.mtime.toISOString() })
    }
    return entries.sort((a, b) => Number(b.isFolder) - Number(a.isFolder) || a.name.localeCompare(b.name))
  }

  // healthy reports whether the workspace is there.
  healthy() {
    return fs.statSync(this.root, { throwIfNoEntry: false })?.isDirectory() ?? false
  }
}

function linkTarget(at) {
  try {
    return fs.readlinkSync(at)
  } catch (err) {
    if (err.code === 'EINVAL' || err.code === 'ENOENT' || err.code === 'ENOTDIR') return undefined
    throw err
  }
}
