//! The application menu with its accelerators, and what its items and the tray's do.

use tauri::{
    AppHandle, Manager, Wry,
    async_runtime::spawn,
    menu::{AboutMetadata, CheckMenuItem, CheckMenuItemBuilder, Menu, MenuBuilder, MenuItemBuilder, SubmenuBuilder},
};

use crate::{
    brand::NAME,
    shell::{Engine, shell},
    windows,
};

/// Its items that are on or off, as in the tray.
struct Choices {
    notifications: CheckMenuItem<Wry>,
    start_on_login: CheckMenuItem<Wry>,
}

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

/// Tauri's own items do nothing there: these tell WebKit. The keys are WebKit's already.
#[cfg(target_os = "linux")]
fn edit(app: &AppHandle) -> SubmenuBuilder<'_, Wry, AppHandle> {
    let edit = SubmenuBuilder::new(app, "&Edit").text("edit-Undo", "Undo").text("edit-Redo", "Redo").separator();
    let edit = edit.text("edit-Cut", "Cut").text("edit-Copy", "Copy").text("edit-Paste", "Paste").separator();
    edit.text("edit-SelectAll", "Select All")
}

/// Shows what is on.
pub fn show(app: &AppHandle, notifications: bool, start_on_login: bool) -> tauri::Result<()> {
    let Some(choices) = app.try_state::<Choices>() else { return Ok(()) };
    choices.notifications.set_checked(notifications)?;
    choices.start_on_login.set_checked(start_on_login)
}

/// Does what was chosen, in the menu or in the tray.
pub fn choose(app: &AppHandle, id: &str) {
    let shell = shell(app);
    match id {
        "open" => windows::show(app, None),
        "new" => windows::show(app, Some("#/new")),
        "settings" => windows::show(app, Some("#/settings/models")),
        "inbox" => windows::show(app, Some("#/inbox")),
        "agents" => windows::show(app, Some("#/agents")),
        "quick" => shell.toggle_quick(),
        "close" => windows::with_front(app, |window| window.close()),
        "minimize" => windows::with_front(app, |window| window.minimize()),
        "maximize" => windows::with_front(app, windows::toggle_maximized),
        "fullscreen" => windows::with_front(app, |window| window.set_fullscreen(!window.is_fullscreen()?)),
        "reload" => windows::with_front(app, windows::reload),
        "zoom-reset" => windows::zoom(app, |_| 100),
        "zoom-in" => windows::zoom(app, |percent| percent + 10),
        "zoom-out" => windows::zoom(app, |percent| percent - 10),
        #[cfg(debug_assertions)]
        "devtools" => windows::with_front(app, windows::toggle_devtools),
        "engine-start" => shell.engine(Engine::Start),
        "engine-restart" => shell.engine(Engine::Restart),
        "engine-stop" => shell.engine(Engine::Stop),
        "browser" => drop(spawn(async move { shell.open_in_browser().await })),
        "logs" => shell.tell("The logs could not be opened", shell.open_logs()),
        "notifications" => shell.set_notifications(!shell.state.current().notifications),
        "start-on-login" => shell.set_start_on_login(!shell.state.current().start_on_login),
        "root" => drop(spawn(async move { shell.choose_root().await })),
        "updates" => drop(spawn(async move { shell.say_updates().await })),
        "diagnostics" => drop(spawn(async move {
            let made = shell.export_diagnostics().await.map(|_| ());
            shell.tell("The diagnostics could not be exported", made);
        })),
        "quit" => app.exit(0),
        #[cfg(target_os = "linux")]
        _ => windows::edit(app, id),
        #[cfg(not(target_os = "linux"))]
        _ => {}
    }
}
