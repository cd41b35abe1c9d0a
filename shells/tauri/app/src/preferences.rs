//! The settings that the user switches in the menu and in the tray.

use crate::{login, shell::Shell};

/// Turns the system's notifications on or off. Errors are logged.
pub fn set_notifications(shell: &Shell, on: bool) {
    shell.log_error("the state file", shell.state.change(|remembered| remembered.notifications = on));
    shell.publish(|view| view.remember(&shell.state.current()));
}

/// Turns the start at login on or off, and remembers it if the system allows it. Errors are logged.
pub fn set_start_on_login(shell: &Shell, on: bool) {
    let set = login::set(&shell.app, on);
    if set.is_ok() {
        shell.log_error("the state file", shell.state.change(|remembered| remembered.start_on_login = on));
    }
    shell.log_error("start on login", set);
    shell.publish(|view| view.remember(&shell.state.current()));
}
