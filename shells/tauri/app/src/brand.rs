//! The app's name and its own settings. To make it yours, change these, `icons/`, and name and identifier in
//! `tauri.conf.json`.

pub const NAME: &str = "Aster";
/// The scheme of links into the app, such as `aster://session/ID`. `tauri.conf.json` names the same.
pub const LINK_SCHEME: &str = "aster";
/// The daemon's preferred port. The app's pages don't use it.
pub const PORT: u16 = 9528;
pub const HOTKEY: &str = "CommandOrControl+Shift+Space";
