// An error of a kind that programs can act on.
export class Problem extends Error {
  constructor(code, message) {
    super(message)
    this.code = code
  }
}

const kinds = {
  ENOENT: 'not_found', EEXIST: 'exists', ENOTEMPTY: 'conflict', EACCES: 'permission', EPERM: 'permission', EROFS: 'permission',
  EISDIR: 'invalid', ENOTDIR: 'invalid', ENAMETOOLONG: 'invalid', ELOOP: 'invalid', EINVAL: 'invalid', ENXIO: 'invalid',
  ENOSPC: 'unavailable', EMFILE: 'unavailable',
}

// The kind of any error.
export const kindOf = (err) => (err instanceof Problem ? err.code : kinds[err.code] ?? 'internal')
