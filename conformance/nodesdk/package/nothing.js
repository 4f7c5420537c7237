// In place of the SDK's native modules, which no bundle can hold.
module.exports = class {
  constructor() {
    throw new Error("codeutils.getJsTree needs tree-sitter, which is not in a bundle");
  }
};
