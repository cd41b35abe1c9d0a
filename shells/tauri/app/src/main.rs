//! Sets up the app: plugins, shared state, the first window and everything that follows the view.
#![cfg_attr(all(windows, not(debug_assertions)), windows_subsystem = "windows")]

mod attention;
mod badge;
mod brand;
mod browser;
mod checks;
mod commands;
mod data_directory;
mod data_files;
mod diagnostics;
mod dialogs;
mod engine;
mod event_stream;
mod hotkey;
mod login;
mod menu;
mod menu_actions;
mod notifications;
mod pending_place;
mod preferences;
mod quick_panel;
mod quit;
mod runtime_info;
mod shell;
mod sockets;
mod state;
mod tray;
mod updates;
mod view;
mod windows;

use std::{error::Error, fs, sync::Arc};

use tauri::{App, AppHandle, Manager, RunEvent, async_runtime::spawn};
use tauri_plugin_autostart::MacosLauncher;
use tauri_plugin_deep_link::DeepLinkExt;
use tauri_plugin_dialog::{DialogExt, MessageDialogKind};
use tauri_plugin_global_shortcut::ShortcutState;

use crate::{
    pending_place::PendingPlace, quick_panel::QuickPanel, quit::Quit, shell::Shell, sockets::Sockets, state::StateFile,
};

fn main() -> Result<(), tauri::Error> {
    tauri::Builder::default()
        // The first plugin: a second instance passes its arguments to the first one here, and ends.
        .plugin(tauri_plugin_single_instance::init(|app, arguments, _folder| {
            let place = arguments.iter().find_map(|argument| checks::deep_link(argument));
            if is_set_up(app) {
                windows::show(app, place.as_deref());
            }
        }))
        .plugin(tauri_plugin_deep_link::init())
        .plugin(
            tauri_plugin_window_state::Builder::default()
                .with_state_flags(windows::REMEMBERED)
                .with_denylist(&[windows::QUICK])
                .build(),
        )
        .plugin(tauri_plugin_notification::init())
        .plugin(tauri_plugin_dialog::init())
        .plugin(tauri_plugin_opener::Builder::new().open_js_links_on_click(false).build())
        .plugin(
            tauri_plugin_global_shortcut::Builder::new()
                .with_handler(|app, _shortcut, event| {
                    if event.state() == ShortcutState::Pressed {
                        // Not on this thread: the main thread waits for it when it unregisters the hotkey.
                        let own = app.clone();
                        let toggled = app.run_on_main_thread(move || quick_panel::toggle(&own));
                        shell::shell(app).log_error("the hotkey", toggled);
                    }
                })
                .build(),
        )
        .plugin(tauri_plugin_autostart::init(MacosLauncher::LaunchAgent, Some(vec![login::HIDDEN])))
        .plugin(tauri_plugin_updater::Builder::new().build())
        .manage(PendingPlace::default())
        .manage(QuickPanel::default())
        .manage(Quit::default())
        .manage(Sockets::default())
        .invoke_handler(commands::handler())
        .menu(menu::build)
        .on_menu_event(|app, event| {
            if is_set_up(app) {
                menu_actions::run(app, event.id().as_ref());
            }
        })
        .setup(set_up)
        .build(tauri::generate_context!())?
        .run(handle);
    Ok(())
}

fn set_up(app: &mut App) -> Result<(), Box<dyn Error>> {
    let app = app.handle();
    let home = app.path().app_data_dir()?;
    fs::create_dir_all(&home)?;
    let state = match StateFile::read(home.join("desktop-state.json")) {
        Ok(state) => state,
        Err(cause) => {
            let hint =
                if matches!(cause, state::Error::TooNew(_)) { "\n\nUpdate the app; nothing was changed." } else { "" };
            eprintln!("{cause}");
            let ended = app.clone();
            app.dialog()
                .message(format!("{cause}{hint}"))
                .title(format!("{} can't start", brand::NAME))
                .kind(MessageDialogKind::Error)
                // The dialog has a thread of its own. If the process ended there, the system's libraries would be taken
                // down while the main thread still uses them.
                .show(move |_| ended.exit(1));
            return Ok(());
        }
    };
    let data_dir = state.current().runtime_root.unwrap_or_else(|| home.join("data"));
    let shell = Shell::new(app, engine::supervisor(app, data_dir), state);
    app.manage(shell.clone());
    quit::on_signals(app)?;
    windows::open(app, asked_for(app)?.as_deref(), std::env::args().any(|argument| argument == login::HIDDEN))?;
    let linked = app.clone();
    app.deep_link().on_open_url(move |event| {
        let place = event.urls().iter().find_map(|url| checks::deep_link(url.as_str()));
        windows::show(&linked, place.as_deref());
    });
    notifications::handle_clicks(&shell);
    engine::follow(&shell);
    quick_panel::follow(&shell);
    tray::follow(&shell);
    menu::follow(&shell);
    badge::follow(&shell);
    if let Some(notice) = &shell.state.notice {
        dialogs::show(app, MessageDialogKind::Warning, notice);
    }
    engine::run(&shell, engine::Request::Start);
    spawn(event_stream::follow(shell));
    Ok(())
}

/// Whether the app runs. It does not while it only shows a dialog that says why it can't start.
fn is_set_up(app: &AppHandle) -> bool {
    app.try_state::<Arc<Shell>>().is_some()
}

/// The place of the link with which the app was started. Except on macOS the link is an argument and is read from
/// there: the plugin would remove `..` from it.
fn asked_for(app: &AppHandle) -> tauri_plugin_deep_link::Result<Option<String>> {
    if cfg!(target_os = "macos") {
        let urls = app.deep_link().get_current()?;
        return Ok(urls.into_iter().flatten().find_map(|url| checks::deep_link(url.as_str())));
    }
    Ok(std::env::args().skip(1).find_map(|argument| checks::deep_link(&argument)))
}

fn handle(app: &AppHandle, event: RunEvent) {
    match event {
        RunEvent::ExitRequested { api, .. } => {
            let may_exit = app.try_state::<Arc<Shell>>().is_none_or(|shell| quit::may_exit(&shell));
            if !may_exit {
                api.prevent_exit();
            }
        }
        #[cfg(target_os = "macos")]
        RunEvent::Reopen { .. } => windows::show(app, None),
        _ => {}
    }
}
