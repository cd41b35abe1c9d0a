//! The global hotkey of the quick panel.

use tauri_plugin_global_shortcut::GlobalShortcutExt;
use tauri_plugin_notification::NotificationExt;

use crate::{
    brand::{HOTKEY, NAME},
    shell::Shell,
};

/// Registers the hotkey. When another app has it, that is published, logged and, unless turned off, notified.
pub fn register(shell: &Shell) {
    let registered = shell.app.global_shortcut().register(HOTKEY);
    let problem = registered.is_err().then(|| format!("{HOTKEY} belongs to another app"));
    shell.log_error("the hotkey", registered);
    if let Some(problem) = &problem
        && shell.state.current().notifications
    {
        let body = format!("{problem}: the quick panel opens from the tray.");
        shell.log_error("a notification", shell.app.notification().builder().title(NAME).body(body).show());
    }
    shell.publish(|view| view.hotkey_problem = problem);
}

/// Unregisters the hotkey, if this app has it. Errors are logged.
pub fn unregister(shell: &Shell) {
    // Not `unregister_all`: it waits for the hotkeys' thread while it holds a lock that this thread needs for each
    // hotkey.
    let hotkeys = shell.app.global_shortcut();
    if hotkeys.is_registered(HOTKEY) {
        shell.log_error("the hotkey", hotkeys.unregister(HOTKEY));
    }
}
