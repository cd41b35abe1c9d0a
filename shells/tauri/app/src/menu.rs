//! The application menu with its accelerators; menu_actions.rs says what the items do.

use std::sync::Arc;

use tauri::{
    AppHandle, Manager, Wry,
    menu::{AboutMetadata, CheckMenuItem, CheckMenuItemBuilder, Menu, MenuBuilder, MenuItemBuilder, SubmenuBuilder},
};

use crate::{brand::NAME, shell::Shell};

/// The items with a tick. Managed by the app.
struct Choices {
    notifications: CheckMenuItem<Wry>,
    start_on_login: CheckMenuItem<Wry>,
}

/// Builds the menu of the main window, on macOS that of the app.
pub fn build(app: &AppHandle) -> tauri::Result<Menu<Wry>> {
    let item = |id: &str, text: &str, keys: &str| MenuItemBuilder::with_id(id, text).accelerator(keys).build(app);
    let choice = |id: &str, text: &str| CheckMenuItemBuilder::with_id(id, text).build(app);
    let choices = Choices {
        notifications: choice("notifications", "Notifications")?,
        start_on_login: choice("start-on-login", "Start on Login")?,
    };
    let settings = item("settings", "Settings", "CmdOrCtrl+,")?;
    let quit = item("quit", "Quit", "CmdOrCtrl+Q")?;
    let mut file = SubmenuBuilder::new(app, "&File")
        .item(&item("new", "New Conversation", "CmdOrCtrl+N")?)
        .text("quick", "Quick Panel")
        .separator()
        .item(&choices.notifications)
        .item(&choices.start_on_login);
    if !cfg!(target_os = "macos") {
        file = file.item(&settings);
    }
    file = file.separator().item(&item("close", "Close Window", "CmdOrCtrl+W")?);
    if !cfg!(target_os = "macos") {
        file = file.item(&quit);
    }
    let mut view = SubmenuBuilder::new(app, "&View")
        .item(&item("inbox", "Inbox", "CmdOrCtrl+Shift+I")?)
        .item(&item("agents", "Agents", "CmdOrCtrl+Shift+A")?)
        .separator()
        .item(&item("reload", "Reload", "CmdOrCtrl+R")?)
        .item(&item("zoom-reset", "Actual Size", "CmdOrCtrl+0")?)
        .item(&item("zoom-in", "Zoom In", "CmdOrCtrl+=")?)
        .item(&item("zoom-out", "Zoom Out", "CmdOrCtrl+-")?)
        .item(&item("fullscreen", "Full Screen", if cfg!(target_os = "macos") { "Ctrl+Cmd+F" } else { "F11" })?);
    if cfg!(debug_assertions) {
        view = view.item(&item("devtools", "Developer Tools", "F12")?);
    }
    let engine = SubmenuBuilder::new(app, "E&ngine")
        .text("engine-start", "Start")
        .text("engine-restart", "Restart")
        .text("engine-stop", "Stop")
        .separator()
        .text("browser", "Open in Browser")
        .text("root", "Data Directory…")
        .text("logs", "Open Logs")
        .text("diagnostics", "Export Diagnostics");
    let window = SubmenuBuilder::new(app, "&Window").text("minimize", "Minimize").text("maximize", "Maximize");
    let help = SubmenuBuilder::new(app, "&Help").text("updates", "Check for Updates…");
    let mut menu = MenuBuilder::new(app);
    if cfg!(target_os = "macos") {
        let own = SubmenuBuilder::new(app, NAME)
            .about(Some(AboutMetadata::default()))
            .separator()
            .item(&settings)
            .separator()
            .services()
            .hide()
            .hide_others()
            .show_all()
            .separator()
            .item(&quit);
        menu = menu.item(&own.build()?);
    }
    let (file, edit, view) = (file.build()?, edit(app).build()?, view.build()?);
    let (engine, window, help) = (engine.build()?, window.build()?, help.build()?);
    app.manage(choices);
    menu.items(&[&file, &edit, &view, &engine, &window, &help]).build()
}

#[cfg(not(target_os = "linux"))]
fn edit(app: &AppHandle) -> SubmenuBuilder<'_, Wry, AppHandle> {
    SubmenuBuilder::new(app, "&Edit").undo().redo().separator().cut().copy().paste().separator().select_all()
}

/// Tauri's own editing items do nothing on Linux, so these send WebKit's editing commands. WebKit handles the keys.
#[cfg(target_os = "linux")]
fn edit(app: &AppHandle) -> SubmenuBuilder<'_, Wry, AppHandle> {
    let edit = SubmenuBuilder::new(app, "&Edit").text("edit-Undo", "Undo").text("edit-Redo", "Redo").separator();
    let edit = edit.text("edit-Cut", "Cut").text("edit-Copy", "Copy").text("edit-Paste", "Paste").separator();
    edit.text("edit-SelectAll", "Select All")
}

/// Ticks the items that are on.
pub fn follow(shell: &Arc<Shell>) {
    let app = shell.app.clone();
    shell.on_view("the menu", move |view| {
        let Some(choices) = app.try_state::<Choices>() else { return Ok(()) };
        choices.notifications.set_checked(view.notifications)?;
        choices.start_on_login.set_checked(view.start_on_login)
    });
}
