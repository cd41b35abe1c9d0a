//! What makes this app yours: change these, `icons/`, and name and identifier in `tauri.conf.json`.

pub const NAME: &str = "Aster";
/// `aster://session/ID` opens that session; the same scheme stands in `tauri.conf.json`.
pub const LINK_SCHEME: &str = "aster";
/// The daemon's preferred port; pages of this app don't use it.
pub const PORT: u16 = 9528;
pub const HOTKEY: &str = "CommandOrControl+Shift+Space";
