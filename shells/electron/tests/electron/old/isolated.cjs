// Loaded before the seed's main.js: Electron 9 with the default that contextIsolation has had since 12.
const Module = require("module");

const load = Module._load;
Module._load = (name, ...rest) => {
  const found = load(name, ...rest);
  if (name !== "electron") return found;
  class Isolated extends found.BrowserWindow {
    constructor(options) {
      super({ ...options, webPreferences: { contextIsolation: true, ...options.webPreferences } });
    }
  }
  return new Proxy(found, { get: (target, key) => (key === "BrowserWindow" ? Isolated : target[key]) });
};
