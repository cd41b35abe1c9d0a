// What makes this app yours: change these, the icons in assets/, and name, version and author in package.json.

export const BRAND = {
  name: "Aster",
  /** For Windows and Linux desktops: a reverse domain name, the same as in forge.config.ts. */
  app_id: "app.aster.shell",
  /** `aster://session/ID` opens that session. */
  link_scheme: "aster",
  /** The address for Electron's own updater; null: this build does not check for updates, and says so. */
  update_feed: null as string | null,
  /** The daemon's preferred port; pages of this app don't use it. */
  port: 9527,
  hotkey: "CommandOrControl+Shift+Space",
};
