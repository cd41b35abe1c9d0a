//! The application menu with its accelerators, and what its items and the tray's do.

use tauri::{
    AppHandle,
    async_runtime::spawn,
    menu::{AboutMetadata, Menu, MenuBuilder, MenuItem, MenuItemBuilder, SubmenuBuilder},
};

use crate::{
    brand::NAME,
    shell::{Engine, shell},
    windows,
};

pub fn build(app: &AppHandle) -> tauri::Result<Menu<tauri::Wry>> {
    let item = |id: &str, text: &str, keys: &str| -> tauri::Result<MenuItem<tauri::Wry>> {
        MenuItemBuilder::with_id(id, text).accelerator(keys).build(app)
    };
    let settings = item("settings", "Settings", "CmdOrCtrl+,")?;
    let quit = item("quit", "Quit", "CmdOrCtrl+Q")?;
    let mut file = SubmenuBuilder::new(app, "&File")
        .item(&item("new", "New Conversation", "CmdOrCtrl+N")?)
        .text("quick", "Quick Panel")
        .separator();
    if !cfg!(target_os = "macos") {
        file = file.item(&settings).separator();
    }
    file = file.close_window();
    if !cfg!(target_os = "macos") {
        file = file.item(&quit);
    }
    let edit =
        SubmenuBuilder::new(app, "&Edit").undo().redo().separator().cut().copy().paste().separator().select_all();
    let view = SubmenuBuilder::new(app, "&View")
        .item(&item("inbox", "Inbox", "CmdOrCtrl+Shift+I")?)
        .item(&item("agents", "Agents", "CmdOrCtrl+Shift+A")?)
        .separator()
        .fullscreen();
    let engine = SubmenuBuilder::new(app, "E&ngine")
        .text("engine-start", "Start")
        .text("engine-restart", "Restart")
        .text("engine-stop", "Stop")
        .separator()
        .text("root", "Data Directory…")
        .text("logs", "Open Logs")
        .text("diagnostics", "Export Diagnostics");
    let window = SubmenuBuilder::new(app, "&Window").minimize().maximize();
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
    let (file, edit, view) = (file.build()?, edit.build()?, view.build()?);
    let (engine, window, help) = (engine.build()?, window.build()?, help.build()?);
    menu.items(&[&file, &edit, &view, &engine, &window, &help]).build()
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
        "engine-start" => shell.engine(Engine::Start),
        "engine-restart" => shell.engine(Engine::Restart),
        "engine-stop" => shell.engine(Engine::Stop),
        "logs" => shell.note("the logs", shell.open_logs()),
        "notifications" => shell.set_notifications(!shell.state.current().notifications),
        "start-on-login" => shell.set_start_on_login(!shell.state.current().start_on_login),
        "root" => drop(spawn(async move { shell.choose_root().await })),
        "updates" => drop(spawn(async move { shell.say_updates().await })),
        "diagnostics" => drop(spawn(async move {
            let made = shell.export_diagnostics().await.map(|_| ());
            shell.note("the diagnostics", made);
        })),
        "quit" => app.exit(0),
        _ => {}
    }
}
