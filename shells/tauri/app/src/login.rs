//! Starting the app when the user logs in.

use std::io;

use tauri::AppHandle;

/// The argument with which the system starts the app at login: the window stays hidden.
pub const HIDDEN: &str = "--hidden";

/// Turns the start at login on or off. Raises: the system's error.
#[cfg(not(target_os = "linux"))]
pub fn set(app: &AppHandle, on: bool) -> io::Result<()> {
    use tauri_plugin_autostart::ManagerExt;
    let autostart = app.autolaunch();
    let set = if on { autostart.enable() } else { autostart.disable() };
    set.map_err(io::Error::other)
}

/// Turns the start at login on or off, with a file of the Desktop Entry Specification. The plugin is not used here: it
/// does not quote the command and ignores XDG_CONFIG_HOME. Raises: the system's error.
#[cfg(target_os = "linux")]
pub fn set(app: &AppHandle, on: bool) -> io::Result<()> {
    use std::fs;
    use tauri::Manager;

    let folder = app.path().config_dir().map_err(io::Error::other)?.join("autostart");
    let path = folder.join(format!("{}.desktop", app.config().identifier));
    if on {
        let image = std::env::var_os("APPIMAGE").map(Into::into);
        let program = image.map_or_else(std::env::current_exe, Ok)?;
        fs::create_dir_all(folder)?;
        return fs::write(path, entry(crate::brand::NAME, &program.display().to_string()));
    }
    match fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(cause),
        _ => Ok(()),
    }
}

#[cfg(target_os = "linux")]
fn entry(name: &str, program: &str) -> String {
    let line = [program, HIDDEN].map(quoted).join(" ");
    format!("[Desktop Entry]\nType=Application\nName={name}\nExec={line}\nX-GNOME-Autostart-enabled=true\n")
}

/// Quotes an argument as the specification requires: once for the command and once more for the value.
#[cfg(target_os = "linux")]
fn quoted(argument: &str) -> String {
    let mut inner = String::new();
    for letter in argument.chars() {
        match letter {
            '"' | '`' | '$' | '\\' => inner.extend(['\\', letter]),
            '%' => inner.push_str("%%"),
            _ => inner.push(letter),
        }
    }
    format!("\"{}\"", inner.replace('\\', "\\\\"))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_desktop_starts_the_app_by_a_file_that_says_how() {
        let entry = entry("Aster", r#"/opt/100% $ure/an "app"\x"#);
        assert!(entry.contains(r#"Exec="/opt/100%% \\$ure/an \\"app\\"\\\\x" "--hidden""#), "{entry}");
    }
}
