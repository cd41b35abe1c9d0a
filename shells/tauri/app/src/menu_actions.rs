//! What the items of the menu and of the tray do.

use tauri::{AppHandle, async_runtime::spawn};

use crate::{
    browser, data_directory, diagnostics, dialogs,
    engine::{self, Request},
    preferences, quick_panel,
    shell::shell,
    updates, windows,
};

/// Runs the item with this id. Unknown ids do nothing.
pub fn run(app: &AppHandle, id: &str) {
    let shell = shell(app);
    match id {
        "open" => windows::show(app, None),
        "new" => windows::show(app, Some("#/new")),
        "settings" => windows::show(app, Some("#/settings/models")),
        "inbox" => windows::show(app, Some("#/inbox")),
        "agents" => windows::show(app, Some("#/agents")),
        "agents-browser" => windows::show(app, Some("#/settings/mcp")),
        "quick" => quick_panel::toggle(app),
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
        "engine-start" => engine::run(&shell, Request::Start),
        "engine-restart" => engine::run(&shell, Request::Restart),
        "engine-stop" => engine::run(&shell, Request::Stop),
        "browser" => drop(spawn(async move { browser::open(&shell).await })),
        "logs" => dialogs::report(app, "The logs could not be opened", diagnostics::open_logs(&shell)),
        "notifications" => preferences::set_notifications(&shell, !shell.state.current().notifications),
        "start-on-login" => preferences::set_start_on_login(&shell, !shell.state.current().start_on_login),
        "root" => drop(spawn(async move { data_directory::choose(&shell).await })),
        "updates" => drop(spawn(async move { updates::check_and_show(&shell.app).await })),
        "diagnostics" => drop(spawn(async move {
            let exported = diagnostics::export(&shell).await.map(drop);
            dialogs::report(&shell.app, "The diagnostics could not be exported", exported);
        })),
        "quit" => app.exit(0),
        #[cfg(target_os = "linux")]
        _ => windows::edit(app, id),
        #[cfg(not(target_os = "linux"))]
        _ => {}
    }
}
